-- How many requests of a window may go to a push service now: first attempts, repeats, when to ask where there are none
-- (else 0), and now.
-- What is granted is taken, by all workers from the same buckets. A time in the future was written before the clock
-- went back, and says nothing.
-- KEYS pace held whole alert known; ARGV limits_json service wanted retries alert_rate ('' = none)
local limits = cjson.decode(ARGV[1])
local service, wanted, retries = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rows, pace = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #rows, 2 do pace[rows[at]] = tonumber(rows[at + 1]) or rows[at + 1] end
if #rows == 0 then redis.call('SADD', KEYS[5], service) end
local changes = {}
local function set(name, value)
  pace[name] = value
  changes[#changes + 1], changes[#changes + 2] = name, value
end

if pace.stopped then return {0, 0, now + limits.ask_stopped_ms, now} end
local held = tonumber(redis.call('HGET', KEYS[2], service) or 0)
if held > now then return {0, 0, held, now} end
if pace.breaker then
  -- Its time is over: one request at a time finds out whether the push service is back.
  local probe = pace.probe_until or 0
  if probe > now and probe <= now + limits.probe_ms then
    return {0, 0, math.min(probe, now + limits.ask_probe_ms), now}
  end
  redis.call('HSET', KEYS[1], 'probe_until', now + limits.probe_ms, 'used_at', now)
  local first = wanted > retries and 1 or 0
  return {first, 1 - first, 0, now}
end

-- What a bucket holds by now.
local function filled(kept, kept_at, per_second, most)
  if not kept or not kept_at then return most end
  return math.min(most, kept + math.max(0, now - kept_at) * per_second / 1000)
end
local function burst(per_second) return math.max(1, per_second / 4) end

local buckets = {}
-- `least` is what is worth a window: of a bucket that fills slowly nobody takes one token at a time.
local function draw_from(held_now, per_second, least, ask_ms)
  buckets[#buckets + 1] = {tokens = held_now, per_second = per_second, least = math.min(least, wanted), ask_ms = ask_ms}
  return buckets[#buckets]
end
local function rate_bucket(kept, kept_at, per_second)
  local most = burst(per_second)
  return draw_from(filled(kept, kept_at, per_second, most), per_second, math.max(1, math.floor(most / 4)))
end

-- The push service's own pace. A pause that it asked for is no rest: it goes on as it was.
local rested = now - math.max(pace.used_at or 0, held) > limits.idle_ms
if rested or not pace.rate then
  set('rate', limits.start_per_second)
  set('grown_at', now)
  pace.tokens = nil
end
local own = pace.rate <= limits.unlimited_per_second and rate_bucket(pace.tokens, pace.tokens_at, pace.rate)

-- Not proven: nothing was accepted lately. Slow answers are proof for longer.
local since_accepted = now - (pace.accepted_at or 0)
local proven = since_accepted >= 0 and since_accepted <= limits.proven_ms + 2 * (pace.baseline or 0)
local trial = nil
if proven then
  if pace.trial ~= limits.trial then set('trial', limits.trial) end
else
  local kept = filled(pace.trial, pace.trial_at, limits.trial_per_second, limits.trial)
  trial = draw_from(kept, limits.trial_per_second, 1, limits.ask_trial_ms)
end

local shared = {}
for at, per_second in pairs({[3] = limits.max_per_second, [4] = tonumber(ARGV[5])}) do
  local kept, kept_at = string.match(redis.call('GET', KEYS[at]) or '', '^(%S+) (%S+)$')
  shared[KEYS[at]] = rate_bucket(tonumber(kept), tonumber(kept_at), per_second)
end

local most, wait = wanted, 0
for _, bucket in ipairs(buckets) do
  local tokens = bucket.tokens + 1e-6  -- what was added up in parts may be a hair short
  most = math.min(most, math.floor(tokens))
  if tokens < bucket.least then
    local ms = math.ceil((bucket.least - bucket.tokens) * 1000 / bucket.per_second)
    wait = math.max(wait, bucket.ask_ms and math.min(ms, bucket.ask_ms) or ms)
  end
end
-- Nobody's repeat goes before another's first attempt.
local budget = filled(pace.budget, pace.budget_at, limits.retry_per_second, limits.retry_budget)
local first, again = 0, 0
if wait == 0 then
  first = math.min(wanted - retries, most)
  again = math.min(retries, most - first, math.floor(budget + 1e-6))
  if first + again == 0 then wait = math.ceil((1 - budget) * 1000 / limits.retry_per_second) end
end
if first + again == 0 then return {0, 0, now + math.max(1, wait), now} end

local taken = first + again
if own then
  set('tokens', own.tokens - taken)
  set('tokens_at', now)
end
if trial then
  set('trial', trial.tokens - taken)
  set('trial_at', now)
end
if again > 0 then
  set('budget', budget - again)
  set('budget_at', now)
end
for key, bucket in pairs(shared) do
  redis.call('SET', key, (bucket.tokens - taken) .. ' ' .. now, 'PX', 10000)
end
-- How much went in this second and the one before: what is cut is what was in use, not what was allowed.
local passed = now - (pace.second_at or 0)
if passed < 0 or passed >= 1000 then
  set('before', (pace.second or 0) * 1000 / math.max(1000, passed))
  set('second', taken)
  set('second_at', now)
else
  set('second', (pace.second or 0) + taken)
end
set('used_at', now)
redis.call('HSET', KEYS[1], unpack(changes))
return {first, again, 0, now}
