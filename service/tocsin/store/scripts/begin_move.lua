-- Notes that the browser of this slot moves to another endpoint, while its record is still the one the caller saw.
-- KEYS records moves; ARGV slot record move
local have = redis.call('HGET', KEYS[2], ARGV[1])
if have then return have == ARGV[3] and 1 or 0 end
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
