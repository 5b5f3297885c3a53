-- The records and present preferences of a window's slots, and the note that they are being tried. Gives the records, the
-- profile numbers of these slots, and pairs of slot and personal row for those that have one.
-- KEYS run records profiles personal; ARGV epoch slots (two bytes each, little-endian)
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return nil end
redis.call('HSET', KEYS[1], 'trying', ARGV[2], 'tried_by', ARGV[1])
local profiles, slots, numbers, own = redis.call('GET', KEYS[3]) or '', {}, {}, {}
for at = 1, #ARGV[2], 2 do
  local low, high = string.byte(ARGV[2], at, at + 1)
  local slot = low + 256 * high
  local number = string.sub(profiles, slot * 4 + 1, slot * 4 + 4)
  slots[#slots + 1] = slot
  numbers[#numbers + 1] = #number == 4 and number or '\0\0\0\0'
  if (string.byte(number, 4) or 0) >= 128 then
    own[#own + 1], own[#own + 2] = slot, redis.call('HGET', KEYS[4], slot) or ''
  end
end
return {redis.call('HMGET', KEYS[2], unpack(slots)), table.concat(numbers), own}
