-- Deletes a record out of quarantine that is still the one the caller saw, unless it is on its way to another endpoint;
-- `gone` remembers what the index has yet to forget. So long a repeat gives the same answer.
-- KEYS quarantine gone personal caps consents moves seen unreached; ARGV slot record digest
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[3] then return 1 end
if redis.call('HEXISTS', KEYS[6], ARGV[1]) == 1 then return 0 end
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row or string.sub(row, 18) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
for _, days in ipairs({KEYS[7], KEYS[8]}) do
  if redis.call('STRLEN', days) > ARGV[1] * 2 then redis.call('SETRANGE', days, ARGV[1] * 2, '\0\0') end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
