-- Sets the topics if they still are what the caller saw ('' for none); 1 where it did, or had done.
-- KEYS topics; ARGV seen wanted
local have = redis.call('GET', KEYS[1]) or ''
if have == ARGV[2] then return 1 end
if have ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
