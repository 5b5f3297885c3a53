-- Writes the first record of the browser that is expected here, with its preferences and consent; once. Gives the day, by
-- the store's clock. KEYS records profiles gone expected personal caps consents seen
-- ARGV slot record profile(4 bytes) digest personal consent
if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, ARGV[3])
redis.call('HDEL', KEYS[5], ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[5], ARGV[1], ARGV[5]) end
redis.call('HDEL', KEYS[6], ARGV[1])
redis.call('HDEL', KEYS[7], ARGV[1])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[7], ARGV[1], ARGV[6]) end
local today = math.floor(redis.call('TIME')[1] / 86400)
redis.call('SETRANGE', KEYS[8], ARGV[1] * 2, string.char(today % 256, math.floor(today / 256)))
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
return today
