-- Says that an alert's ledgers are packed from here on; nobody may change them any more. 0 where anybody still may: it
-- is open, its account is not final, it ended just now, or one who was set aside may still be tried again.
-- KEYS alert open; ARGV id now_ms rest_ms
local alert = redis.call('HMGET', KEYS[1], 'totals', 'ended_ms', 'ends_ms', 'packed')
if alert[4] then return 1 end
if not alert[1] or not alert[2] or redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
local quiet_since = tonumber(ARGV[2]) - tonumber(ARGV[3])
if tonumber(alert[2]) > quiet_since then return 0 end
local set_aside = cjson.decode(alert[1]).set_aside or 0
if set_aside > 0 and tonumber(alert[3]) > quiet_since then return 0 end
redis.call('HSET', KEYS[1], 'packed', 'begun')
return 1
