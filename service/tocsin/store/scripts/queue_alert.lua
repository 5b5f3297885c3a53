-- The one atomic write before a 202: the Idempotency-Key, the alert, its place among those that are open or wait for
-- their time, and in its chain.
-- KEYS asked alert by_time open count timed chain; ARGV asked_value keep_seconds id queued_ms alert_json queue
-- level state begins_ms prefix root ('' = the first of its chain) after ('' = whatever the last of the chain is).
-- Gives nothing where another follow-up came first.
local asked = redis.call('GET', KEYS[1])
if asked then return asked end
if ARGV[12] ~= '' and (redis.call('LINDEX', KEYS[7], -1) or ARGV[11]) ~= ARGV[12] then return nil end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('HSET', KEYS[2], 'alert', ARGV[5], 'state', ARGV[8], 'queued_ms', ARGV[4], 'queue', ARGV[6],
  'level', ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
-- A draft, or what awaits approval, is only kept: change_alert puts it out.
if ARGV[8] == 'draft' or ARGV[8] == 'awaiting_approval' then return ARGV[1] end
redis.call('HSET', KEYS[2], 'counted', '1')
if ARGV[8] == 'sending' then redis.call('ZADD', KEYS[4], ARGV[9], ARGV[3]) end
if ARGV[8] == 'scheduled' or ARGV[8] == 'undo_window' then redis.call('ZADD', KEYS[6], ARGV[9], ARGV[3]) end
redis.call('INCR', KEYS[5])
if ARGV[11] ~= '' then
  redis.call('HSET', ARGV[10] .. 'alert:' .. ARGV[11], 'corrected_by', ARGV[3])
  for _, id in ipairs(redis.call('LRANGE', KEYS[7], 0, -1)) do
    redis.call('HSET', ARGV[10] .. 'alert:' .. id, 'corrected_by', ARGV[3])
  end
  redis.call('RPUSH', KEYS[7], ARGV[3])
end
return ARGV[1]
