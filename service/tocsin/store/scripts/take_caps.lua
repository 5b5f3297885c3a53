-- Counts a run under readers' caps, once for each; gives the slots where there is no room for it.
-- KEYS run caps taken; ARGV epoch then for each: slot day limit
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return nil end
local full = {}
for at = 2, #ARGV, 3 do
  local slot, day, limit = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local kept_day, count = string.match(redis.call('HGET', KEYS[2], slot) or '', '^(%d+) (%d+)$')
  count = kept_day == day and tonumber(count) or 0
  if redis.call('HGET', KEYS[3], slot) == day then
    -- Counted already; the reader may have lowered the cap since.
    if count > limit then
      redis.call('HDEL', KEYS[3], slot)
      redis.call('HSET', KEYS[2], slot, day .. ' ' .. (count - 1))
      full[#full + 1] = tonumber(slot)
    end
  elseif count < limit then
    redis.call('HSET', KEYS[2], slot, day .. ' ' .. (count + 1))
    redis.call('HSET', KEYS[3], slot, day)
  else
    full[#full + 1] = tonumber(slot)
  end
end
return full
