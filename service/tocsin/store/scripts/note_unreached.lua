-- The first day, since they were last heard of, of an alert that did not reach these slots, where anybody is there.
-- KEYS profiles seen unreached; ARGV day slots(2 bytes each)
local profiles, day = redis.call('GET', KEYS[1]) or '', tonumber(ARGV[1])
local seen, unreached = redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[3]) or ''
local packed = string.char(day % 256, math.floor(day / 256))
local function day_of(days, slot)
  local low, high = string.byte(days, slot * 2 + 1, slot * 2 + 2)
  return (low or 0) + 256 * (high or 0)
end
for at = 1, #ARGV[2], 2 do
  local low, high = string.byte(ARGV[2], at, at + 1)
  local slot = low + 256 * high
  local profile, heard = string.sub(profiles, slot * 4 + 1, slot * 4 + 4), day_of(seen, slot)
  if profile ~= '' and profile ~= '\0\0\0\0' and day > heard and day_of(unreached, slot) <= heard then
    redis.call('SETRANGE', KEYS[3], slot * 2, packed)
  end
end
return 1
