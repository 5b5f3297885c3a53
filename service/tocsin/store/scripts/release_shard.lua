-- Hands a shard back: due again at a moment, or finished. Gives how many shards of the run are left, or -1 when it
-- was not ours any more.
-- KEYS alert leased epochs again; ARGV prefix id service shard epoch due_ms ('' = finished, '0' = now)
if redis.call('HGET', KEYS[3], ARGV[4]) ~= ARGV[5] or not redis.call('ZSCORE', KEYS[2], ARGV[4]) then return -1 end
redis.call('ZREM', KEYS[2], ARGV[4])
local due, again = tonumber(ARGV[6]), tonumber(redis.call('HGET', KEYS[4], ARGV[4]))
if again then
  redis.call('HDEL', KEYS[4], ARGV[4])
  due = math.min(due or again, again)
end
if due then redis.call('ZADD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. ARGV[3], due, ARGV[4]) end
local left = 0
for service in string.gmatch(redis.call('HGET', KEYS[1], 'services'), '[^,]+') do
  left = left + redis.call('ZCARD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. service)
  left = left + redis.call('ZCARD', ARGV[1] .. 'leased:' .. ARGV[2] .. ':' .. service)
end
return left
