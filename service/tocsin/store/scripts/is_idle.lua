-- 0 where a worker has something to send: an alert whose run is yet to be made, a shard in work, or one that is due at
-- a push service that is not held. KEYS open timed held; ARGV prefix round
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZCOUNT', KEYS[2], '-inf', now) > 0 then return 0 end
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
ids[#ids + 1] = ARGV[2]
for _, id in ipairs(ids) do
  local began, services = unpack(redis.call('HMGET', ARGV[1] .. 'alert:' .. id, 'began_ms', 'services'))
  if not began and id ~= ARGV[2] then return 0 end
  for service in string.gmatch(services or '', '[^,]+') do
    if redis.call('ZCARD', ARGV[1] .. 'leased:' .. id .. ':' .. service) > 0 then return 0 end
    local held = tonumber(redis.call('HGET', KEYS[3], service) or 0)
    local due = redis.call('ZCOUNT', ARGV[1] .. 'due:' .. id .. ':' .. service, '-inf', now)
    if held <= now and due > 0 then return 0 end
  end
end
return 1
