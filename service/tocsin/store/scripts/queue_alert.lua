-- The one atomic write before a 202: the Idempotency-Key, the alert and its place among the open ones.
-- KEYS asked alert by_time open count ledgers; ARGV asked_value keep_seconds id queued_ms alert_json queue level
local asked = redis.call('GET', KEYS[1])
if asked then return asked end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('HSET', KEYS[2], 'alert', ARGV[5], 'state', 'sending', 'queued_ms', ARGV[4], 'queue', ARGV[6],
  'level', ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[3])
redis.call('ZADD', KEYS[6], ARGV[4], ARGV[3])
redis.call('INCR', KEYS[5])
return ARGV[1]
