"""Every Redis key and script, one module a concept; nothing else imports redis.

Each module's keys share a hash tag (`{alerts}`, `{fcm.17}`, …), so that a script touches one slot of a Redis Cluster.
The client speaks to one server, all the same: a cluster is not supported, and `tocsin doctor` says so.
All writes are idempotent: the client may repeat one after a stall, and it must change nothing the second time.
"""
