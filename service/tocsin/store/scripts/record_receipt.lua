-- Sets a browser's bit for an event, once, and only beside a ledger that says the alert was meant for it.
-- KEYS ledger receipts; ARGV slot bit marks
local mark = redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[1])
if mark == '' or not string.find(ARGV[3], mark, 1, true) then return 0 end
local have = string.byte(redis.call('GETRANGE', KEYS[2], ARGV[1], ARGV[1])) or 0
local bit = tonumber(ARGV[2])
if have % (2 * bit) >= bit then return 0 end
redis.call('SETRANGE', KEYS[2], ARGV[1], string.char(have + bit))
return 1
