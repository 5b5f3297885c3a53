-- Chooses the next shard for a worker: flash first, then the alert with the fewest shards in work, then the oldest.
-- Lapsed leases come back on the way. The clock is the store's. An alert whose run is yet to be made is given before
-- any shard, by its id alone: a worker that is busy with others must not keep it waiting.
-- Alerts whose time has come are opened on the way. The round takes part like an alert that is never begun or over.
-- KEYS open held lapsed paused timed; ARGV prefix lease_ms queues(csv) busy(csv of id:push_service) grace_ms round
-- far_ms
local prefix, lease_ms, grace_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function set_of(csv)
  local set = {}
  for word in string.gmatch(csv, '[^,]+') do set[word] = true end
  return set
end
local queues, busy = set_of(ARGV[3]), set_of(ARGV[4])
local paused = set_of(table.concat(redis.call('SMEMBERS', KEYS[4]), ','))
for _, id in ipairs(redis.call('ZRANGE', KEYS[5], '-inf', now, 'BYSCORE')) do
  local moment = redis.call('ZSCORE', KEYS[5], id)
  redis.call('ZADD', KEYS[1], moment, id)
  -- By when it went out, not by when it was asked for: its ledgers are of now, however many alerts came in between.
  redis.call('ZADD', prefix .. 'ledgers', 'XX', moment, id)
  redis.call('ZREM', KEYS[5], id)
  redis.call('HSET', prefix .. 'alert:' .. id, 'state', 'sending')
end
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
if redis.call('EXISTS', prefix .. 'alert:' .. ARGV[6]) == 1 then ids[#ids + 1] = ARGV[6] end
local best = nil
for _, id in ipairs(ids) do
  local run = redis.call('HMGET', prefix .. 'alert:' .. id, 'began_ms', 'services', 'queue', 'level', 'state',
    'ends_ms', 'corrected_by')
  local ours = (queues[run[3]] or run[4] == 'flash') and not paused[run[3]]
  if ours and not run[1] and not busy[id .. ':'] then return {id} end
  if ours and run[1] then
    local in_work, candidate, fewest = 0, nil, nil
    -- What is stopped or out of time has no request to make, so neither a hold nor a retry's moment matters.
    local over = run[5] == 'stopped' or run[7] or tonumber(run[6]) <= now
    for service in string.gmatch(run[2], '[^,]+') do
      local due = prefix .. 'due:' .. id .. ':' .. service
      local leased = prefix .. 'leased:' .. id .. ':' .. service
      -- A lease that ends later than its own length from now was written before the clock went back.
      local lapsed = redis.call('ZRANGE', leased, '-inf', '(' .. now, 'BYSCORE')
      for _, shard in ipairs(redis.call('ZRANGE', leased, '(' .. (now + lease_ms), '+inf', 'BYSCORE')) do
        lapsed[#lapsed + 1] = shard
      end
      for _, shard in ipairs(lapsed) do
        redis.call('ZREM', leased, shard)
        -- Not at once: after an outage of this store its holder is there, too, to record what it had sent.
        redis.call('ZADD', due, now + grace_ms, shard)
        redis.call('INCR', KEYS[3])
      end
      local working = redis.call('ZCARD', leased)
      in_work = in_work + working
      local held = tonumber(redis.call('HGET', KEYS[2], service) or 0)
      -- A pause that is over is forgotten: it would begin again where the clock goes back.
      if held > 0 and held <= now then redis.call('HDEL', KEYS[2], service) end
      if not busy[id .. ':' .. service] and (over or held <= now) and (not fewest or working < fewest) then
        local first = redis.call('ZRANGE', due, '-inf', over and '+inf' or now, 'BYSCORE', 'LIMIT', 0, 1)[1]
        -- A run's shard is never handed back for so long (the round's are): that, too, was before the clock went back.
        if not first and id ~= ARGV[6] then
          first = redis.call('ZRANGE', due, '(' .. (now + tonumber(ARGV[7])), '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
        end
        if first then candidate, fewest = {due, leased, first}, working end
      end
    end
    if candidate then
      local flash = run[4] == 'flash'
      if not best or (flash and not best.flash) or (flash == best.flash and in_work < best.in_work) then
        best = {id = id, flash = flash, in_work = in_work, at = candidate, began = run[1]}
      end
    end
  end
end
if not best then return nil end
local shard = best.at[3]
redis.call('ZREM', best.at[1], shard)
redis.call('ZADD', best.at[2], now + lease_ms, shard)
local epoch = redis.call('HINCRBY', prefix .. 'epochs:' .. best.id, shard, 1)
local bound = redis.call('HGET', prefix .. 'bounds:' .. best.id, string.match(shard, '^(.*)%.')) or 0
return {best.id, shard, epoch, best.began, bound}
