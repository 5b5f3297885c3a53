-- Forgets what one browser told of alerts. KEYS receipts…; ARGV slot
for _, key in ipairs(KEYS) do
  local told = redis.call('GETRANGE', key, ARGV[1], ARGV[1])
  if told ~= '' and told ~= '\0' then redis.call('SETRANGE', key, ARGV[1], '\0') end
end
return 1
