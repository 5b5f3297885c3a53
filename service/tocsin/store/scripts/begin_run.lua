-- Makes an alert's run: every shard due at once. Done once; a repeat changes nothing. From now on ledgers are kept.
-- KEYS alert ledgers begun; ARGV prefix id ends_ms services(csv) began_ms most_begun then for each service: name, shards,
-- numbers
local alert = KEYS[1]
if redis.call('HEXISTS', alert, 'began_ms') == 1 then return 0 end
local now = ARGV[5]
for at = 7, #ARGV, 3 do
  local service, shards = ARGV[at], tonumber(ARGV[at + 1])
  local due = ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. service
  for shard = 0, shards - 1 do
    redis.call('ZADD', due, now, service .. '.' .. shard)
  end
  redis.call('HSET', ARGV[1] .. 'bounds:' .. ARGV[2], service, ARGV[at + 2])
end
redis.call('HSET', alert, 'began_ms', now, 'ends_ms', ARGV[3], 'services', ARGV[4])
redis.call('ZADD', KEYS[2], now, ARGV[2])
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[6])
return 1
