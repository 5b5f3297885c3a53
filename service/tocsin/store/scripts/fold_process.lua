-- Adds what an ended process counted to the sum of all that ended before, once, if neither changed meanwhile.
-- KEYS processes ended; ARGV process seen ended_seen merged_json
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[3] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[4])
return 1
