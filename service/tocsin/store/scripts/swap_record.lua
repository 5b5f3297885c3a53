-- Replaces a record that is still the one the caller saw. KEYS records; ARGV slot seen wanted
local have = redis.call('HGET', KEYS[1], ARGV[1])
if have == ARGV[3] then return 1 end
if have ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
