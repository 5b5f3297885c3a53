-- A claim makes itself known to its shard: writes of older epochs are refused from here on.
-- KEYS run profiles; ARGV epoch
if (tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0) > tonumber(ARGV[1]) then return nil end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
local kept = redis.call('HMGET', KEYS[1], 'ledger', 'counts', 'retries')
return {kept[1], kept[2], kept[3], redis.call('GET', KEYS[2]) or ''}
