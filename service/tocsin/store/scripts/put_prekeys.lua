-- Fills ranges of slots with new prekeys, or with zeros. The leave is used up by it, so that the same call arriving a
-- second time does nothing: it would bring back what was taken in between.
-- KEYS leave layer…; ARGV token life keep_seconds, then for each range: layer first entries
local SIZE, HEAD, DIGITS, SLOTS = 128, 48, 8, 1000
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
local touched = {}
for at = 4, #ARGV, 3 do
  local key = KEYS[1 + tonumber(ARGV[at])]
  if not touched[key] and redis.call('GETRANGE', key, DIGITS, HEAD - 1) ~= ARGV[2] then
    -- Made whole at once: a string that grows is given twice what it needs.
    redis.call('SET', key, '00000000' .. ARGV[2] .. string.rep('\0', SLOTS * SIZE))
  end
  touched[key] = true
  redis.call('SETRANGE', key, HEAD + ARGV[at + 1] * SIZE, ARGV[at + 2])
end
for key in pairs(touched) do
  local whole, stock = redis.call('GET', key), 0
  for slot = 0, SLOTS - 1 do
    if string.byte(whole, HEAD + slot * SIZE + 1) ~= 0 then stock = stock + 1 end
  end
  redis.call('SETRANGE', key, 0, string.format('%08d', stock))
  redis.call('EXPIRE', key, ARGV[3])
end
return 1
