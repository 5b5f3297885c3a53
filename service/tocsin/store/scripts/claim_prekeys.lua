-- Leave to fill a shard's prekeys, for one caller and one `put_prekeys`; and the first 4 bytes of each entry.
-- KEYS leave layer…; ARGV token leave_ms
local SIZE, HEAD, DIGITS, SLOTS = 128, 48, 8, 1000
local info = redis.call('INFO', 'server', 'replication')
local run_id, chain = string.match(info, 'run_id:(%x+)'), string.match(info, 'master_replid:(%x+)')
local alone = string.find(info, 'role:master', 1, true) and string.find(info, 'connected_slaves:0', 1, true)
if not (run_id and chain and alone) then return nil end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return nil end
local life = redis.sha1hex(run_id .. chain)
local found = {life}
for layer = 2, #KEYS do
  local whole, heads = redis.call('GET', KEYS[layer]), {}
  if whole and string.sub(whole, DIGITS + 1, HEAD) == life then
    for slot = 0, SLOTS - 1 do
      heads[#heads + 1] = string.sub(whole, HEAD + slot * SIZE + 1, HEAD + slot * SIZE + 4)
    end
  end
  found[#found + 1] = table.concat(heads)
end
return found
