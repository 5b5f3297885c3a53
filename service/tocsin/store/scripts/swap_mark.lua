-- Changes one byte of a ledger that is as the caller believes, or changed already. KEYS ledger; ARGV slot seen wanted
local have = redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[1])
if have == ARGV[3] then return 1 end
if have ~= ARGV[2] then return 0 end
redis.call('SETRANGE', KEYS[1], ARGV[1], ARGV[3])
return 1
