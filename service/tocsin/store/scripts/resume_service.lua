-- Lets a push service go on: what stopped it and its breaker are forgotten, and so is what led to them. A pause that it
-- asked for itself stays. KEYS pace held; ARGV service
redis.call('HDEL', KEYS[1], 'stopped', 'refused_since', 'refusals', 'trial', 'breaker', 'open_ms', 'open_until',
  'probe_until', 'failed_since', 'failures')
local asked = redis.call('HGET', KEYS[1], 'retry_after_until')
if asked then
  redis.call('HSET', KEYS[2], ARGV[1], asked)
else
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
