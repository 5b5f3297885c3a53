-- Writes what a process counted; 0 where its row was folded into the sum of the ended ones since it wrote last.
-- KEYS processes; ARGV process row_json is_first
if ARGV[3] == '0' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
