-- A claim makes itself known to its shard: writes of older epochs are refused from here on. A window that is still noted
-- as being tried was its holder's last: one death more, unless an earlier holder noted it, and the last one died before
-- it came to these. A ledger that is packed is nobody's any more.
-- KEYS run ledger profiles taken; ARGV epoch
if redis.call('GETRANGE', KEYS[2], 0, 0) == '\1' then return nil end
local kept = redis.call('HMGET', KEYS[1], 'epoch', 'times', 'retries', 'trying', 'deaths', 'tried_by')
local epoch, mine = tonumber(kept[1]) or 0, tonumber(ARGV[1])
if epoch > mine then return nil end
local trying, deaths = kept[4] or '', tonumber(kept[5]) or 0
if epoch < mine then
  if trying ~= '' and (tonumber(kept[6]) or epoch) == epoch then deaths = deaths + 1 end
  redis.call('HSET', KEYS[1], 'epoch', mine, 'deaths', deaths, 'written', 0)
end
return {redis.call('GET', KEYS[2]), kept[2], kept[3], trying, deaths, redis.call('GET', KEYS[3]) or '',
  redis.call('HGETALL', KEYS[4])}
