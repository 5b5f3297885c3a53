-- Hands shards back: each due again at a moment, or finished. Gives how many shards of the run are left, or -1 when none
-- of these was ours any more.
-- KEYS alert leased epochs again; ARGV prefix id service then for each: shard epoch due_ms ('' = finished, '0' = now)
local ours = 0
for at = 4, #ARGV, 3 do
  local shard = ARGV[at]
  if redis.call('HGET', KEYS[3], shard) == ARGV[at + 1] and redis.call('ZREM', KEYS[2], shard) == 1 then
    ours = ours + 1
    local due, again = tonumber(ARGV[at + 2]), tonumber(redis.call('HGET', KEYS[4], shard))
    if again then
      redis.call('HDEL', KEYS[4], shard)
      due = math.min(due or again, again)
    end
    if due then redis.call('ZADD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. ARGV[3], due, shard) end
  end
end
if ours == 0 then return -1 end
local left = 0
for service in string.gmatch(redis.call('HGET', KEYS[1], 'services'), '[^,]+') do
  left = left + redis.call('ZCARD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. service)
  left = left + redis.call('ZCARD', ARGV[1] .. 'leased:' .. ARGV[2] .. ':' .. service)
end
return left
