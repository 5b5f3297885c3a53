-- Sets an index entry if it still is what the caller saw ('' for none); gives what it is afterwards.
-- KEYS bucket; ARGV field seen wanted
local have = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if have ~= ARGV[2] then return have end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return ARGV[3]
