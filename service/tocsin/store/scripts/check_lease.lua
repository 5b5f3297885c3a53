-- Before a window: are the shards still ours, and may we send? Renews a lease when less than a share of it is left, or
-- when the clock went back: one that ends later than now + its length counts as lapsed for all others. Gives the word for
-- the run, the end of a hold, and the shards that are not ours any more.
-- KEYS alert leased epochs held; ARGV lease_ms service lease_left start_ms then for each: shard epoch
local time = redis.call('TIME')
local now, lease_ms = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1])
local shards = {}
for at = 5, #ARGV, 2 do shards[#shards + 1] = ARGV[at] end
local untils = redis.call('ZMSCORE', KEYS[2], unpack(shards))
local epochs = redis.call('HMGET', KEYS[3], unpack(shards))
local ours, lost = {}, {}
for place, shard in ipairs(shards) do
  local until_ms = tonumber(untils[place] or nil)
  if not until_ms or epochs[place] ~= ARGV[4 + 2 * place] or until_ms < now then
    lost[#lost + 1] = shard
  else
    ours[#ours + 1] = {shard, until_ms - now}
  end
end
if #ours == 0 then return {'lost', 0, unpack(lost)} end
local run = redis.call('HMGET', KEYS[1], 'state', 'ends_ms', 'corrected_by')
if run[1] == 'stopped' then return {'stopped', 0, unpack(lost)} end
if run[3] then return {'corrected', 0, unpack(lost)} end
if (tonumber(run[2]) or math.huge) <= now + ARGV[4] then return {'ended', 0, unpack(lost)} end
local held = tonumber(redis.call('HGET', KEYS[4], ARGV[2]) or 0)
if held > now then return {'held', held, unpack(lost)} end
for _, each in ipairs(ours) do
  local shard, rest = each[1], each[2]
  if rest < lease_ms * ARGV[3] or rest > lease_ms then redis.call('ZADD', KEYS[2], now + lease_ms, shard) end
end
return {'go', 0, unpack(lost)}
