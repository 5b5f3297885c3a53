-- KEYS alert; ARGV now_ms. Gives the state before.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'sending' then
  redis.call('HSET', KEYS[1], 'state', 'stopped', 'stopped_ms', ARGV[1])
end
return state
