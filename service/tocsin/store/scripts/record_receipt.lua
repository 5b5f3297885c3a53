-- Sets a browser's bit for an event, once, and only while the alert's ledger is kept. KEYS ledger receipts; ARGV slot bit
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local have = string.byte(redis.call('GETRANGE', KEYS[2], ARGV[1], ARGV[1])) or 0
local bit = tonumber(ARGV[2])
if have % (2 * bit) >= bit then return 0 end
redis.call('SETRANGE', KEYS[2], ARGV[1], string.char(have + bit))
return 1
