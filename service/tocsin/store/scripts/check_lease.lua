-- Before a window: is the shard still ours, and may we send? Renews the lease when less than a share of it is left, or when the
-- clock went back: one that ends later than now + its length counts as lapsed for all others.
-- KEYS alert leased epochs held; ARGV shard epoch lease_ms service lease_left start_ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not until_ms or redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[2] or tonumber(until_ms) < now then
  return {'lost', 0}
end
local run = redis.call('HMGET', KEYS[1], 'state', 'ends_ms', 'corrected_by')
if run[1] == 'stopped' then return {'stopped', 0} end
if run[3] then return {'corrected', 0} end
if (tonumber(run[2]) or math.huge) <= now + ARGV[6] then return {'ended', 0} end
local held = tonumber(redis.call('HGET', KEYS[4], ARGV[4]) or 0)
if held > now then return {'held', held} end
local rest = tonumber(until_ms) - now
if rest < ARGV[3] * ARGV[5] or rest > tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
end
return {'go', 0}
