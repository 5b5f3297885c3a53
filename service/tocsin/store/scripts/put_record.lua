-- Writes the first record of the browser that is expected here, with its preferences and consent; once.
-- KEYS records profiles gone expected personal caps consents seen
-- ARGV slot record profile(4 bytes) digest personal day(2 bytes) consent
if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, ARGV[3])
redis.call('HDEL', KEYS[5], ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[5], ARGV[1], ARGV[5]) end
redis.call('HDEL', KEYS[6], ARGV[1])
redis.call('HDEL', KEYS[7], ARGV[1])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[7], ARGV[1], ARGV[7]) end
redis.call('SETRANGE', KEYS[8], ARGV[1] * 2, ARGV[6])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
return 1
