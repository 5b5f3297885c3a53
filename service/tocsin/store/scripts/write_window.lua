-- Records a window whole: ledger, account, retries; and deletes those who are gone, in the same write.
-- KEYS run records profiles gone; ARGV epoch ledger counts retries then for each gone: slot record digest
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return nil end
redis.call('HSET', KEYS[1], 'ledger', ARGV[2], 'counts', ARGV[3], 'retries', ARGV[4])
local dropped = {}
for at = 5, #ARGV, 3 do
  if redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', KEYS[2], ARGV[at])
    redis.call('SETRANGE', KEYS[3], ARGV[at] * 4, '\0\0\0\0')
    redis.call('HSET', KEYS[4], ARGV[at], ARGV[at + 2])
    dropped[#dropped + 1] = tonumber(ARGV[at])
  end
end
return dropped
