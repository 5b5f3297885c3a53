-- The records and present profiles of a window's slots. KEYS run records profiles; ARGV epoch slot…
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return nil end
local rows = {}
for at = 2, #ARGV do
  local slot = ARGV[at]
  rows[#rows + 1] = redis.call('HGET', KEYS[2], slot)
  rows[#rows + 1] = redis.call('GETRANGE', KEYS[3], slot * 4, slot * 4 + 3)
end
return rows
