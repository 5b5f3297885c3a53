-- The number of a set of preferences, made when it is new. KEYS ids sets; ARGV canonical
local number = redis.call('HGET', KEYS[1], ARGV[1])
if number then return tonumber(number) end
number = redis.call('HLEN', KEYS[2]) + 1
redis.call('HSET', KEYS[2], number, ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], number)
return number
