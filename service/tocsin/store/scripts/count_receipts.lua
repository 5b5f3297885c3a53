-- Adds receipts to the counts of alerts that have ledgers; of others nothing is kept. Gives all that have ledgers.
-- KEYS ledgers told alert…; ARGV unknown shed then for each alert: id shown clicked closed
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
local known = {}
for _, id in ipairs(ids) do known[id] = true end
local fates = {counted = 0, unknown = tonumber(ARGV[1]), shed = tonumber(ARGV[2])}
for place = 3, #KEYS do
  local at = 4 * place - 9
  local fate = known[ARGV[at]] and 'counted' or 'unknown'
  for offset, event in ipairs({'shown', 'clicked', 'closed'}) do
    local count = tonumber(ARGV[at + offset])
    fates[fate] = fates[fate] + count
    if fate == 'counted' and count > 0 then redis.call('HINCRBY', KEYS[place], event, count) end
  end
end
for fate, count in pairs(fates) do
  if count > 0 then redis.call('HINCRBY', KEYS[2], fate, count) end
end
return ids
