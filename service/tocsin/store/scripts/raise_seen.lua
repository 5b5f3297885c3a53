-- No earlier day than this for these slots, where anybody is there. KEYS profiles seen; ARGV day slots(2 bytes each)
local profiles, seen, day = redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '', tonumber(ARGV[1])
local packed = string.char(day % 256, math.floor(day / 256))
for at = 1, #ARGV[2], 2 do
  local low, high = string.byte(ARGV[2], at, at + 1)
  local slot = low + 256 * high
  local profile = string.sub(profiles, slot * 4 + 1, slot * 4 + 4)
  low, high = string.byte(seen, slot * 2 + 1, slot * 2 + 2)
  if profile ~= '' and profile ~= '\0\0\0\0' and (low or 0) + 256 * (high or 0) < day then
    redis.call('SETRANGE', KEYS[2], slot * 2, packed)
  end
end
return 1
