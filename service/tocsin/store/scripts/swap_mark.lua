-- Changes one byte of a ledger that is as the caller believes, or changed already; none of one that is packed.
-- KEYS ledger; ARGV slot seen wanted
if redis.call('GETRANGE', KEYS[1], 0, 0) == '\1' then return 0 end
local have = redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[1])
if have == ARGV[3] then return 1 end
if have ~= ARGV[2] then return 0 end
redis.call('SETRANGE', KEYS[1], ARGV[1], ARGV[3])
return 1
