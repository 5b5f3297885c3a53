-- A record with its preferences, all of one moment. KEYS records profiles personal; ARGV slot
local slot = ARGV[1]
local packed = redis.call('HGET', KEYS[1], slot)
if not packed then return nil end
return {packed, redis.call('GETRANGE', KEYS[2], slot * 4, slot * 4 + 3), redis.call('HGET', KEYS[3], slot) or ''}
