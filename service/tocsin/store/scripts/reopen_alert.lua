-- A shard of a run is due again, and its alert with it, also where that was closed; not where its ledgers are packed.
-- KEYS alert open leased again; ARGV prefix id service shard now_ms
if redis.call('HEXISTS', KEYS[1], 'packed') == 1 then return 0 end
if redis.call('HGET', KEYS[1], 'state') == 'sent' then
  redis.call('HSET', KEYS[1], 'state', 'sending')
  redis.call('HDEL', KEYS[1], 'totals', 'interim', 'ended_ms')
end
redis.call('ZADD', KEYS[2], 'NX', redis.call('HGET', KEYS[1], 'queued_ms'), ARGV[2])
if redis.call('ZSCORE', KEYS[3], ARGV[4]) then
  redis.call('HSET', KEYS[4], ARGV[4], ARGV[5])
else
  redis.call('ZADD', ARGV[1] .. 'due:' .. ARGV[2] .. ':' .. ARGV[3], 'LT', ARGV[5], ARGV[4])
end
return 1
