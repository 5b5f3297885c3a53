-- Deletes a record out of quarantine that is still the one the caller saw, unless it is on its way to another endpoint;
-- `gone` remembers what the index has yet to forget. KEYS quarantine gone personal caps consents moves seen; ARGV slot
-- record digest
if redis.call('HEXISTS', KEYS[6], ARGV[1]) == 1 then return 0 end
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row or string.sub(row, 18) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
redis.call('SETRANGE', KEYS[7], ARGV[1] * 2, '\0\0')
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
