-- Changes the preferences of a record that is still the one the caller saw.
-- KEYS records profiles; ARGV slot record profile(4 bytes)
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, ARGV[3])
return 1
