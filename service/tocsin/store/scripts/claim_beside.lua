-- More shards of a run at one push service, for a worker that found few readers in the one that it has. Only a part of
-- those that are due, so that the last of them are shared out among all workers. Nothing where claim_shard would give
-- none of them.
-- KEYS alert due leased epochs held paused; ARGV lease_ms service most part (one in so many)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = redis.call('HMGET', KEYS[1], 'state', 'ends_ms', 'corrected_by', 'queue')
local over = run[1] == 'stopped' or run[3] or tonumber(run[2]) <= now
local held = tonumber(redis.call('HGET', KEYS[5], ARGV[2]) or 0)
if over or held > now or redis.call('SISMEMBER', KEYS[6], run[4]) == 1 then return {} end
local most = math.min(tonumber(ARGV[3]), math.floor(redis.call('ZCOUNT', KEYS[2], '-inf', now) / ARGV[4]))
local claims = {}
for _, shard in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
  redis.call('ZREM', KEYS[2], shard)
  redis.call('ZADD', KEYS[3], now + ARGV[1], shard)
  claims[#claims + 1] = shard
  claims[#claims + 1] = redis.call('HINCRBY', KEYS[4], shard, 1)
end
return claims
