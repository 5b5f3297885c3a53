-- Ends an alert whose run has nothing left. Done once: only the caller that ends it gets 1.
-- KEYS alert open first_request deferring; ARGV prefix id state account_json now_ms first_request_bucket
-- ('' = there was none) is_final ('' = readers are deferred)
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
local run = redis.call('HMGET', KEYS[1], 'state', 'services')
-- What is closed is never looked at again, so nobody may wait for it: neither for its run nor in a shard of it.
if not run[2] then return 0 end
for service in string.gmatch(run[2], '[^,]+') do
  for _, name in ipairs({'due:', 'leased:'}) do
    if redis.call('ZCARD', ARGV[1] .. name .. ARGV[2] .. ':' .. service) > 0 then return 0 end
  end
end
if run[1] == 'sending' then redis.call('HSET', KEYS[1], 'state', ARGV[3]) end
redis.call('HSET', KEYS[1], 'ended_ms', ARGV[5])
if ARGV[7] == '' then
  redis.call('HSET', KEYS[1], 'interim', ARGV[4])
else
  redis.call('HSET', KEYS[1], 'totals', ARGV[4])
  redis.call('HDEL', KEYS[1], 'interim')
  redis.call('ZREM', KEYS[4], ARGV[2])
end
redis.call('ZREM', KEYS[2], ARGV[2])
if ARGV[6] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[6], 1) end
return 1
