-- A record with its preferences and consent, all of one moment. KEYS records profiles personal consents; ARGV slot
local slot = ARGV[1]
local packed = redis.call('HGET', KEYS[1], slot)
if not packed then return nil end
local profile = redis.call('GETRANGE', KEYS[2], slot * 4, slot * 4 + 3)
return {packed, profile, redis.call('HGET', KEYS[3], slot) or '', redis.call('HGET', KEYS[4], slot) or ''}
