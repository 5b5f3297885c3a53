-- The account of an alert that is closed: the final one, or what is shown as long as anybody is deferred.
-- KEYS alert open deferring; ARGV id account_json is_final ('' = readers are deferred)
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
if ARGV[3] == '' then
  if not redis.call('ZSCORE', KEYS[3], ARGV[1]) then return 0 end
  redis.call('HSET', KEYS[1], 'interim', ARGV[2])
else
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('HSET', KEYS[1], 'totals', ARGV[2])
  redis.call('HDEL', KEYS[1], 'interim')
end
return 1
