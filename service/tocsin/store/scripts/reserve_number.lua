-- Gives out a number of a push service: a freed one that nothing can know any more, else the next.
-- KEYS next freed reserved; ARGV digest now_ms reusable_before_ms
local number
local freed = redis.call('ZRANGE', KEYS[2], '-inf', '(' .. ARGV[3], 'BYSCORE', 'LIMIT', 0, 1)
if freed[1] then
  number = freed[1]
  redis.call('ZREM', KEYS[2], number)
else
  number = redis.call('INCR', KEYS[1]) - 1
end
redis.call('HSET', KEYS[3], number, ARGV[2] .. ':' .. ARGV[1])
return tonumber(number)
