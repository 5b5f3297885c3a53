-- Moves a ledger of the first schema into a key of its own, if its account is still the one that the caller saw.
-- KEYS run ledger; ARGV seen_counts eligible times
local kept = redis.call('HMGET', KEYS[1], 'ledger', 'counts')
if not kept[1] or kept[2] ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], kept[1])
redis.call('HSET', KEYS[1], 'eligible', ARGV[2], 'times', ARGV[3])
redis.call('HDEL', KEYS[1], 'ledger', 'counts')
return 1
