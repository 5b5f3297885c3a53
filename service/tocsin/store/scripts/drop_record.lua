-- Deletes a record that is still the one the caller saw; `gone` remembers what the index has yet to forget.
-- KEYS records profiles gone personal caps; ARGV slot record digest
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, '\0\0\0\0')
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
return 1
