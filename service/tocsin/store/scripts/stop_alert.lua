-- KEYS alert timed deferring; ARGV id now_ms. Gives the state before, and after it whether that changed.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return nil end
local waits = state == 'scheduled' or state == 'undo_window'
if state == 'sending' or waits or (state == 'sent' and redis.call('ZSCORE', KEYS[3], ARGV[1])) then
  redis.call('HSET', KEYS[1], 'state', 'stopped')
  if waits then
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('HSET', KEYS[1], 'ended_ms', ARGV[2])
  end
  return {state, 1}
end
return {state, 0}
