-- Packs a ledger that is as the caller read it, and forgets what only a run at work needs. KEYS ledger run taken; ARGV
-- seen packed
local kept = redis.call('GET', KEYS[1])
if kept == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
elseif kept and string.byte(kept) ~= 1 then
  return 0
end
redis.call('UNLINK', KEYS[2], KEYS[3])
return 1
