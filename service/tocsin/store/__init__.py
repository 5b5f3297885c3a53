"""Every Redis key and script, one module a concept; nothing else imports redis.

Each module's keys share a hash tag (`{alerts}`, `{fcm.17}`, …), so that a script touches one slot of a Redis Cluster.
All writes are idempotent: the client may repeat one after a stall, and it must change nothing the second time.
"""
