-- What a push service answered to a window: it changes the pace, holds, opens or closes the breaker, stops. Gives what
-- happened just now: 'stopped', 'opened' (and for how long), 'closed', 'storm'.
-- KEYS pace held storms known; ARGV limits_json service report_json
local limits, service, report = cjson.decode(ARGV[1]), ARGV[2], cjson.decode(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rows, pace = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #rows, 2 do pace[rows[at]] = tonumber(rows[at + 1]) or rows[at + 1] end
if #rows == 0 then redis.call('SADD', KEYS[4], service) end
local changes, dropped, events = {}, {}, {}
local function set(name, value)
  pace[name] = value
  changes[#changes + 1], changes[#changes + 2] = name, value
end
local function forget(...)
  for _, name in ipairs({...}) do dropped[#dropped + 1] = name end
end
-- Since a moment; endless where that lies in the future, which a clock that went back leaves behind.
local function since(at)
  return at and at <= now and now - at or math.huge
end
-- Adds to the present slice of a sliding window and gives the sums over all of it.
local function slide(name, within_ms, counts)
  local slices = 20
  local present = math.floor(now * slices / within_ms)
  local kept, mine, sums = {}, {present}, {}
  for at, count in ipairs(counts) do mine[at + 1], sums[at] = count, count end
  for _, slice in ipairs(pace[name] and cjson.decode(pace[name]) or {}) do
    local age = present - slice[1]
    if age >= 0 and age <= slices then
      for at in ipairs(counts) do
        sums[at] = sums[at] + slice[at + 1]
        if age == 0 then mine[at + 1] = mine[at + 1] + slice[at + 1] end
      end
      if age > 0 then kept[#kept + 1] = slice end
    end
  end
  kept[#kept + 1] = mine
  set(name, cjson.encode(kept))
  return sums
end
local function hold(until_ms)
  if tonumber(redis.call('HGET', KEYS[2], service) or 0) < until_ms then
    redis.call('HSET', KEYS[2], service, until_ms)
  end
end

local accepted, failed, refused, gone = report.accepted, report.failed, report.refused, report.gone
local answers = accepted + report.throttled + failed + refused + gone + report.rejected
local minute = slide('minute', 60000, {accepted, report.throttled, failed, refused, gone, report.rejected})

-- Whoever is answered, in whatever way but a refusal, gives back what the trial took.
set('trial', math.min(limits.trial, (pace.trial or limits.trial) + answers - refused + report.unsent))
if accepted > 0 then set('accepted_at', now) end

-- Repeats that are accepted open the way for more of them: what is back is served at full speed in a moment.
local earned = 2 * report.accepted_retries + limits.retry_share * (accepted - report.accepted_retries)
if earned > 0 and pace.budget then set('budget', math.min(limits.retry_budget, pace.budget + earned)) end

-- Our key is refused: by all of them, or nearly.
set('refused_since', accepted > 0 and 0 or (pace.refused_since or 0) + refused)
if refused > 0 and not pace.stopped then
  local few = slide('refusals', limits.refused_within_ms, {refused, answers})
  if pace.refused_since >= limits.refused
    or (few[2] >= limits.refused_of and few[1] >= limits.refused_share * few[2]) then
    set('stopped', 'vapid_refused')
    events[#events + 1] = 'stopped'
  end
elseif answers > 0 then
  slide('refusals', limits.refused_within_ms, {0, answers})
end

-- A pause that it asked for.
local pause = report.retry_after_ms or 0
if pause <= 0 and report.throttled > 0 then pause = limits.retry_ms end
if pause > 0 then
  hold(now + pause)
  set('retry_after_until', math.max(pace.retry_after_until or 0, now + pause))
end

-- The breaker.
local function open(ms)
  set('breaker', 'open')
  set('open_ms', ms)
  set('open_until', now + ms)
  set('failed_since', 0)
  forget('probe_until', 'failures')
  hold(now + ms)
  events[#events + 1] = 'opened'
  events[#events + 1] = ms
end
if pace.breaker then
  -- Windows that were under way when it opened say nothing new, neither good nor bad.
  if since(pace.open_until) ~= math.huge then
    if accepted > 0 then
      forget('breaker', 'open_ms', 'open_until', 'probe_until', 'failures')
      set('failed_since', 0)
      events[#events + 1] = 'closed'
    elseif pace.probe_until and failed > 0 then
      open(math.min(limits.breaker_most_ms, pace.open_ms * 2))
    elseif pace.probe_until then
      forget('probe_until')
    end
  end
elseif answers > 0 then
  set('failed_since', failed < answers and 0 or (pace.failed_since or 0) + failed)
  local lately = slide('failures', limits.failed_within_ms, {failed, answers})
  if failed > 0 and (pace.failed_since >= limits.failed
    or (lately[2] >= limits.failed_of and lately[1] >= limits.failed_share * lately[2])) then
    open(limits.breaker_ms)
  end
end

-- The pace: halved at once, doubled after a step without any reason to halve.
local latency, slow = report.latency_ms, false
if latency then
  local usual = pace.baseline or latency
  slow = latency > limits.slow_ms and latency > limits.slow_times * usual
  -- Down soon, up slowly: by a third in about two minutes, however many windows there are.
  local share = latency < usual and 0.2 or math.min(1, since(pace.baseline_at or now) / 300000)
  set('baseline', usual + (latency - usual) * share)
  set('baseline_at', now)
end
if report.throttled > 0 or slow then
  if since(pace.cut_at) >= limits.step_ms then
    local used = math.max(pace.before or 0, pace.second or 0)
    local rate = math.min(pace.rate or limits.start_per_second, used > 0 and used or math.huge)
    set('rate', math.max(limits.least_per_second, rate / 2))
    set('cut_at', now)
  end
  set('throttled_at', now)
elseif accepted > 0 and pace.rate and pace.rate <= limits.unlimited_per_second
  and math.min(since(pace.grown_at), since(pace.throttled_at)) >= limits.step_ms then
  set('rate', pace.rate * 2)
  set('grown_at', now)
end

-- A storm of the gone: over some minutes, or among the last few requests, so that a sudden one is seen among many good.
if answers > 0 and redis.call('HEXISTS', KEYS[3], service) == 0 then
  local lately = slide('gone', limits.gone_within_ms, {gone, answers})
  local fresh = since(pace.few_at) > limits.gone_within_ms
  local few = {(fresh and 0 or pace.few_gone) + gone, (fresh and 0 or pace.few) + answers}
  local function is_storm(sums)
    return sums[1] >= limits.gone and sums[2] >= limits.gone_of and sums[1] >= limits.gone_share * sums[2]
  end
  if gone > 0 and (is_storm(lately) or is_storm(few)) then
    redis.call('HSET', KEYS[3], service, now)
    events[#events + 1] = 'storm'
  end
  if few[2] >= limits.gone_of then few = {0, 0} end
  if fresh or few[2] == 0 then set('few_at', now) end
  set('few_gone', few[1])
  set('few', few[2])
end

redis.call('HSET', KEYS[1], unpack(changes))
if #dropped > 0 then redis.call('HDEL', KEYS[1], unpack(dropped)) end
return events
