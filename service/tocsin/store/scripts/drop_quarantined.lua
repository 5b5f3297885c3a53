-- Deletes a record out of quarantine that is still the one the caller saw; `gone` remembers what the index has yet to
-- forget. KEYS quarantine gone personal caps; ARGV slot record digest
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row or string.sub(row, 18) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
