-- A shard of the round is due at a moment, if not before; while it is in work, it will be due again then.
-- KEYS round leased again; ARGV prefix id service shard due_ms
local services = redis.call('HGET', KEYS[1], 'services')
if not services then
  redis.call('HSET', KEYS[1], 'began_ms', ARGV[5], 'ends_ms', '9e15', 'state', 'sending', 'queue', 'standard',
    'level', 'update', 'services', ARGV[3])
elseif not string.find(',' .. services .. ',', ',' .. ARGV[3] .. ',', 1, true) then
  redis.call('HSET', KEYS[1], 'services', services .. ',' .. ARGV[3])
end
if redis.call('ZSCORE', KEYS[2], ARGV[4]) then
  local again = tonumber(redis.call('HGET', KEYS[3], ARGV[4]))
  if not again or again > tonumber(ARGV[5]) then redis.call('HSET', KEYS[3], ARGV[4], ARGV[5]) end
else
  redis.call('ZADD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. ARGV[3], 'LT', ARGV[5], ARGV[4])
end
return 1
