-- A record with all that stands beside it, of one moment. KEYS records profiles personal consents seen; ARGV slot
local slot = ARGV[1]
local packed = redis.call('HGET', KEYS[1], slot)
if not packed then return nil end
local profile = redis.call('GETRANGE', KEYS[2], slot * 4, slot * 4 + 3)
local own, consent = redis.call('HGET', KEYS[3], slot), redis.call('HGET', KEYS[4], slot)
return {packed, profile, own or '', consent or '', redis.call('GETRANGE', KEYS[5], slot * 2, slot * 2 + 1)}
