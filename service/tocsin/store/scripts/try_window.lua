-- The records and present preferences of a window's slots, and the note that they are being tried.
-- KEYS run records profiles personal; ARGV epoch trying slot…
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return nil end
redis.call('HSET', KEYS[1], 'trying', ARGV[2])
local rows = {}
for at = 3, #ARGV do
  local slot = ARGV[at]
  local profile = redis.call('GETRANGE', KEYS[3], slot * 4, slot * 4 + 3)
  local own = false
  if (string.byte(profile, 4) or 0) >= 128 then own = redis.call('HGET', KEYS[4], slot) end
  rows[#rows + 1] = redis.call('HGET', KEYS[2], slot)
  rows[#rows + 1] = profile
  rows[#rows + 1] = own
end
return rows
