-- Changes the preferences of a record, if it and they are still what the caller saw.
-- KEYS records profiles personal; ARGV slot record seen(4 bytes) seen_personal wanted(4 bytes) wanted_personal
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local have = redis.call('GETRANGE', KEYS[2], ARGV[1] * 4, ARGV[1] * 4 + 3)
local own = redis.call('HGET', KEYS[3], ARGV[1]) or ''
if have == ARGV[5] and own == ARGV[6] then return 1 end
if have ~= ARGV[3] or own ~= ARGV[4] then return 0 end
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, ARGV[5])
if ARGV[6] == '' then
  redis.call('HDEL', KEYS[3], ARGV[1])
else
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[6])
end
return 1
