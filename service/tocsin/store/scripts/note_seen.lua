-- The day on which the browser of this record was last here. KEYS records seen; ARGV slot record day(2 bytes)
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('SETRANGE', KEYS[2], ARGV[1] * 2, ARGV[3])
return 1
