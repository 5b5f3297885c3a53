-- Writes a record and its profile together. KEYS records profiles gone; ARGV slot record profile(4 bytes)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SETRANGE', KEYS[2], ARGV[1] * 4, ARGV[3])
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
