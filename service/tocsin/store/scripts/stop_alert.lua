-- Gives the state before, and after it whether that changed. The round is due at once wherever anybody waits for the end
-- of quiet hours; a repeat makes it so again.
-- KEYS alert timed deferring; ARGV id now_ms prefix round
local run = redis.call('HMGET', KEYS[1], 'state', 'services')
local state = run[1]
if not state then return nil end
local deferring = redis.call('ZSCORE', KEYS[3], ARGV[1])
if deferring then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for service in string.gmatch(run[2] or '', '[^,]+') do
    local due = ARGV[3] .. 'due:' .. ARGV[4] .. ':' .. service
    for _, shard in ipairs(redis.call('ZRANGE', due, '(' .. now, '+inf', 'BYSCORE')) do
      redis.call('ZADD', due, now, shard)
    end
  end
end
local waits = state == 'scheduled' or state == 'undo_window'
if state == 'sending' or waits or (deferring and (state == 'sent' or state == 'expired')) then
  redis.call('HSET', KEYS[1], 'state', 'stopped')
  if waits then
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('HSET', KEYS[1], 'ended_ms', ARGV[2])
  end
  return {state, 1}
end
return {state, 0}
