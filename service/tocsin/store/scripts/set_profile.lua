-- Changes the preferences of a record, if it and they are still what the caller saw.
-- KEYS records profiles; ARGV slot record seen(4 bytes) wanted(4 bytes)
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local have = redis.call('GETRANGE', KEYS[2], ARGV[1] * 4, ARGV[1] * 4 + 3)
if have == ARGV[4] then return 1 end
if have ~= ARGV[3] then return 0 end
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, ARGV[4])
return 1
