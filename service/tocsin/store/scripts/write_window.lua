-- Records a window whole: marks, times, retries, counts under caps; and takes those who are gone out of use with it.
-- Gives the slots that went into quarantine. A repeat changes nothing, however late: a network may bring one after the
-- windows that followed it, and then it would set recipients back who are done.
-- KEYS run records profiles quarantine caps taken ledger…; ARGV epoch times retries deaths now_ms(13 digits) eligible
-- ('' = planned before) number (of this window among those of its claim) then four lists, each after its length: key
-- start marks only …; slots to give back; slots that keep their count; slot record … of the gone
local run = redis.call('HMGET', KEYS[1], 'epoch', 'written')
if run[1] ~= ARGV[1] then return nil end
if (tonumber(run[2]) or 0) >= tonumber(ARGV[7]) then return {} end
redis.call('HSET', KEYS[1], 'times', ARGV[2], 'retries', ARGV[3], 'deaths', ARGV[4], 'trying', '',
  'written', ARGV[7])
if ARGV[6] ~= '' then redis.call('HSETNX', KEYS[1], 'eligible', ARGV[6]) end
local at = 8
local function list()
  local first, length = at + 1, tonumber(ARGV[at])
  at = first + length
  return first, at - 1
end
local first, last = list()
for place = first, last, 4 do
  local ledger, start, marks, only = KEYS[tonumber(ARGV[place])], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]
  -- In a packed ledger nobody waits any more: whoever comes so late has nothing to say there.
  if redis.call('GETRANGE', ledger, 0, 0) == '\1' then
    marks = ''
  elseif only ~= '' then
    -- Bytes that are something else by now stay as they are.
    local kept, merged = redis.call('GETRANGE', ledger, start, start + #marks - 1), {}
    for at_byte = 1, #marks do
      local have = string.sub(kept, at_byte, at_byte)
      merged[at_byte] = have == only and string.sub(marks, at_byte, at_byte) or have
    end
    marks = table.concat(merged)
  end
  if marks ~= '' then redis.call('SETRANGE', ledger, start, marks) end
end
first, last = list()
for place = first, last do
  local slot = ARGV[place]
  local day = redis.call('HGET', KEYS[6], slot)
  if day then
    redis.call('HDEL', KEYS[6], slot)
    local kept_day, count = string.match(redis.call('HGET', KEYS[5], slot) or '', '^(%d+) (%d+)$')
    if kept_day == day and tonumber(count) > 0 then
      redis.call('HSET', KEYS[5], slot, day .. ' ' .. (count - 1))
    end
  end
end
first, last = list()
for place = first, last do redis.call('HDEL', KEYS[6], ARGV[place]) end
local removed = {}
first, last = list()
for place = first, last, 2 do
  local slot = ARGV[place]
  if redis.call('HGET', KEYS[2], slot) == ARGV[place + 1] then
    local profile = redis.call('GETRANGE', KEYS[3], slot * 4, slot * 4 + 3)
    redis.call('HDEL', KEYS[2], slot)
    redis.call('SETRANGE', KEYS[3], slot * 4, '\0\0\0\0')
    redis.call('HSET', KEYS[4], slot, profile .. ARGV[5] .. ARGV[place + 1])
    removed[#removed + 1] = tonumber(slot)
  end
end
return removed
