-- Puts a record back out of quarantine, with its preferences. KEYS records profiles quarantine; ARGV slot
local row = redis.call('HGET', KEYS[3], ARGV[1])
if not row or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.sub(row, 18))
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, string.sub(row, 1, 4))
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
