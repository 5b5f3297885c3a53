-- Deletes a record that is still the one the caller saw, out of quarantine too, unless it is on its way to another
-- endpoint, or was heard of since the caller looked; `gone` remembers what the index has yet to forget. So long a repeat
-- gives the same answer.
-- KEYS records profiles gone personal caps quarantine consents moves seen unreached
-- ARGV slot record digest day(2 bytes; '' whenever it was heard of)
if redis.call('HGET', KEYS[3], ARGV[1]) == ARGV[3] then return 1 end
if redis.call('HEXISTS', KEYS[8], ARGV[1]) == 1 then return 0 end
local seen = redis.call('GETRANGE', KEYS[9], ARGV[1] * 2, ARGV[1] * 2 + 1)
if ARGV[4] ~= '' and (seen == '' and '\0\0' or seen) ~= ARGV[4] then return 0 end
local away = redis.call('HGET', KEYS[6], ARGV[1])
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, '\0\0\0\0')
elseif away and string.sub(away, 18) == ARGV[2] then
  redis.call('HDEL', KEYS[6], ARGV[1])
else
  return 0
end
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
redis.call('HDEL', KEYS[7], ARGV[1])
for _, days in ipairs({KEYS[9], KEYS[10]}) do
  if redis.call('STRLEN', days) > ARGV[1] * 2 then redis.call('SETRANGE', days, ARGV[1] * 2, '\0\0') end
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
return 1
