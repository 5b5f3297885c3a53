-- Takes a record out of use that is still the one the caller saw. KEYS records profiles quarantine; ARGV slot record moment
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local profile = redis.call('GETRANGE', KEYS[2], ARGV[1] * 4, ARGV[1] * 4 + 3)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, '\0\0\0\0')
redis.call('HSET', KEYS[3], ARGV[1], profile .. ARGV[3] .. ARGV[2])
return 1
