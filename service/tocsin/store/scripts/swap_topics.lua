-- Sets the topics if they still are what the caller saw ('' for none); 1 where it did.
-- KEYS topics; ARGV seen wanted
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
