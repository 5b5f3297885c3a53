-- The final account of an alert that is closed, once nobody is deferred. KEYS alert open deferring; ARGV id totals_json
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[1], 'totals', ARGV[2])
return 1
