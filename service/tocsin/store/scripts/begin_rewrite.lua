-- Notes that a rewrite of the log begins, if nobody noted anything else since the caller looked ('' for what is not there):
-- from which erasure on, and the server's life and count of rewrites before it. KEYS erased; ARGV first covering since_ms
if (redis.call('HGET', KEYS[1], 'first') or '') ~= ARGV[1] then return 0 end
if (redis.call('HGET', KEYS[1], 'covering') or '') ~= ARGV[2] then return 0 end
local life = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local before = string.match(redis.call('INFO', 'persistence'), 'aof_rewrites:(%d+)') or '0'
redis.call('HDEL', KEYS[1], 'first')
redis.call('HSET', KEYS[1], 'covering', ARGV[3], 'life', life, 'before', before)
return 1
