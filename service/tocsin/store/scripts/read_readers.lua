-- A shard's readers at one moment, without their records. One answer for all three: each costs its reader 20 µs.
-- KEYS profiles personal caps
return {redis.call('GET', KEYS[1]) or '', redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
