-- That the browser of this record is here today, by the store's clock; no earlier day than is noted. Gives 0 where
-- another stands there by now. KEYS records seen; ARGV slot record
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local today = math.floor(redis.call('TIME')[1] / 86400)
local low, high = string.byte(redis.call('GETRANGE', KEYS[2], ARGV[1] * 2, ARGV[1] * 2 + 1), 1, 2)
if (low or 0) + 256 * (high or 0) < today then
  redis.call('SETRANGE', KEYS[2], ARGV[1] * 2, string.char(today % 256, math.floor(today / 256)))
end
return 1
