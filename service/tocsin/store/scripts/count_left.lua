-- How many shards of a run are due or in work. KEYS alert; ARGV prefix id
local left = 0
for service in string.gmatch(redis.call('HGET', KEYS[1], 'services') or '', '[^,]+') do
  left = left + redis.call('ZCARD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. service)
  left = left + redis.call('ZCARD', ARGV[1] .. 'leased:' .. ARGV[2] .. ':' .. service)
end
return left
