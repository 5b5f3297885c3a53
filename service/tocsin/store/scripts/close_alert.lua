-- Ends an alert whose run has nothing left. Done once: only the caller that ends it gets 1.
-- KEYS alert open first_request; ARGV id state totals_json now_ms first_request_bucket ('' = no request was made)
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
if redis.call('HGET', KEYS[1], 'state') == 'sending' then redis.call('HSET', KEYS[1], 'state', ARGV[2]) end
redis.call('HSET', KEYS[1], 'totals', ARGV[3], 'ended_ms', ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[5] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[5], 1) end
return 1
