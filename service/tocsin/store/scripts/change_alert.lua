-- Changes an alert that is not out yet, and puts it out where its new state says so; 0 where it is no longer what the
-- caller saw. A repeat of the same change gives 1 again: the connection may have been lost after it was made.
-- KEYS alert by_time open count timed chain; ARGV id seen_state seen_edition alert_json queue level state
-- queued_ms begins_ms prefix root ('' = the first of its chain) writers(csv) approved_by ('' = nobody) now_ms
-- after ('' = whatever the last of the chain is) change
if redis.call('HGET', KEYS[1], 'change') == ARGV[16] then return 1 end
local seen = redis.call('HMGET', KEYS[1], 'state', 'edition')
if seen[1] ~= ARGV[2] or (seen[2] or '0') ~= ARGV[3] then return 0 end
if ARGV[15] ~= '' and (redis.call('LINDEX', KEYS[6], -1) or ARGV[11]) ~= ARGV[15] then return 0 end
redis.call('HSET', KEYS[1], 'alert', ARGV[4], 'queue', ARGV[5], 'level', ARGV[6], 'state', ARGV[7], 'queued_ms',
  ARGV[8], 'writers', ARGV[12], 'approved_by', ARGV[13], 'change', ARGV[16])
redis.call('HINCRBY', KEYS[1], 'edition', 1)
redis.call('ZADD', KEYS[2], ARGV[8], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
local timed = ARGV[7] == 'scheduled' or ARGV[7] == 'undo_window'
if ARGV[7] ~= 'sending' and not timed then
  if ARGV[7] == 'rejected' then redis.call('HSET', KEYS[1], 'ended_ms', ARGV[14]) end
  return 1
end
redis.call('ZADD', timed and KEYS[5] or KEYS[3], ARGV[9], ARGV[1])
if redis.call('HSETNX', KEYS[1], 'counted', '1') == 1 then redis.call('INCR', KEYS[4]) end
if ARGV[11] ~= '' then
  redis.call('HSET', ARGV[10] .. 'alert:' .. ARGV[11], 'corrected_by', ARGV[1])
  for _, id in ipairs(redis.call('LRANGE', KEYS[6], 0, -1)) do
    redis.call('HSET', ARGV[10] .. 'alert:' .. id, 'corrected_by', ARGV[1])
  end
  redis.call('RPUSH', KEYS[6], ARGV[1])
end
return 1
