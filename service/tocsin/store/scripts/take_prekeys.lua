-- Takes prekeys out for use, from the first layer that has one: each is overwritten before anybody sees it, and nothing
-- ever writes it back. What another life of the server left is dropped whole.
-- KEYS layer…; ARGV first count first count …
local SIZE, HEAD, DIGITS = 128, 48, 8
local info = redis.call('INFO', 'server', 'replication')
local run_id, chain = string.match(info, 'run_id:(%x+)'), string.match(info, 'master_replid:(%x+)')
-- With a replica there is a copy that may come back.
local alone = string.find(info, 'role:master', 1, true) and string.find(info, 'connected_slaves:0', 1, true)
if not (run_id and chain and alone) then return nil end
local life = redis.sha1hex(run_id .. chain)
local found, left = {life}, {}
for at = 1, #ARGV, 2 do left[#left + 1] = {tonumber(ARGV[at]), tonumber(ARGV[at + 1])} end

local function take(key, stock, first, count, missing)
  local start = HEAD + first * SIZE
  local block = redis.call('GETRANGE', key, start, start + count * SIZE - 1)
  redis.call('SETRANGE', key, start, string.rep('\0', count * SIZE))
  for n = 0, count - 1 do
    if string.byte(block, n * SIZE + 1) ~= 0 then
      found[#found + 1] = first + n
      found[#found + 1] = string.sub(block, n * SIZE + 1, (n + 1) * SIZE)
      stock = stock - 1
    else
      missing[#missing + 1] = {first + n, 1}
    end
  end
  return stock
end

for _, key in ipairs(KEYS) do
  if #left == 0 then break end
  local head = redis.call('GETRANGE', key, 0, HEAD - 1)
  if head ~= '' and string.sub(head, DIGITS + 1) ~= life then
    redis.call('DEL', key)
  elseif head ~= '' then
    local stock, missing = tonumber(string.sub(head, 1, DIGITS)), {}
    for _, range in ipairs(left) do stock = take(key, stock, range[1], range[2], missing) end
    redis.call('SETRANGE', key, 0, string.format('%08d', stock))
    left = missing
  end
end
return found
