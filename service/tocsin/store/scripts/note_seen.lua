-- The day on which the browser of this record was last here; no earlier one than is noted, whatever a clock says.
-- KEYS records seen; ARGV slot record day(2 bytes)
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local low, high = string.byte(redis.call('GETRANGE', KEYS[2], ARGV[1] * 2, ARGV[1] * 2 + 1), 1, 2)
local new_low, new_high = string.byte(ARGV[3], 1, 2)
if (low or 0) + 256 * (high or 0) >= new_low + 256 * new_high then return 1 end
redis.call('SETRANGE', KEYS[2], ARGV[1] * 2, ARGV[3])
return 1
