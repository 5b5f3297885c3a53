-- Pauses a push service until a moment, never for less than it was. KEYS held; ARGV service until_ms
local kept = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if kept < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
