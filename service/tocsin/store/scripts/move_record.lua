-- Puts the record of the new endpoint into the slot, whatever keys the old one has by now, and out of quarantine: the
-- browser is evidently not gone. One that is of the new endpoint already stays as it is (an endpoint begins at byte 92).
-- KEYS records profiles quarantine moves; ARGV slot move record
if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
local endpoint = string.sub(ARGV[3], 92)
local have = redis.call('HGET', KEYS[1], ARGV[1])
if have then
  if string.sub(have, 92) ~= endpoint then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
  return 1
end
local away = redis.call('HGET', KEYS[3], ARGV[1])
if not away then return 0 end
if string.sub(away, 18 + 91) ~= endpoint then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, string.sub(away, 1, 4))
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return 1
