"""A store as the first version left it: its keys written as its scripts wrote them."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from samples import NOW, a_subscription
from tocsin.clock import milliseconds
from tocsin.domain.alerts import new_alert_id
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept

NOW_MS = milliseconds(NOW)
HOSTS = {"fcm": "fcm.googleapis.com", "apple": "web.push.apple.com"}
# The letters of its ledger, by the names of its account.
OUTCOMES = {"accepted": "a", "gone": "g", "rejected": "x", "expired": "e", "stopped": "s", "opted_out": "o",
            "set_aside": "k", "deferred": "d", "retrying": "r", "pending": "p"}  # fmt: skip
_RETRY = struct.Struct("<HBQ")


@dataclass(frozen=True)
class OldAlert:
    """`ledgers` maps each shard to the marks of its first slots."""

    id: str
    ledgers: Mapping[str, str]

    def counts(self, shard: str) -> dict[str, Any]:
        """Its account of a shard, whole."""
        marks = self.ledgers[shard]
        outcomes = {name: marks.count(letter) for name, letter in OUTCOMES.items()}
        accepted = outcomes["accepted"]
        return {
            "eligible": sum(outcomes.values()),
            "outcomes": outcomes,
            "skipped": {"level": marks.count("l")},
            "times": {"400": accepted} if accepted else {},
            "within": accepted,
            "first_ms": NOW_MS + 2_500 if accepted else None,
            "first_request_ms": NOW_MS + 2_400 if accepted else None,
        }

    def total(self, name: str) -> int:
        return sum(self.counts(shard)["outcomes"].get(name, 0) for shard in self.ledgers)


async def readers(store: Store, key_id: bytes, count: int = 6, service: str = "fcm") -> list[Kept]:
    """As they were registered then; `world` under its text of that time."""
    world = Preferences(topics=("world",))
    found = [
        await store.subscriptions.add(
            a_subscription(f"{service}-{number}", HOSTS[service]), world, key_id, NOW_MS, NOW_MS
        )
        for number in range(count)
    ]
    redis, text = store.server.redis, '{"topics":["world"],"min_level":"update","topic_levels":{}}'
    await redis.delete("{profiles}:ids")
    await redis.hset("{profiles}:ids", text, 1)
    await redis.hset("{profiles}:sets", 1, text)
    return found


async def an_old_alert(
    store: Store, ledgers: Mapping[str, str], began_at: datetime = NOW, retries: Mapping[int, int] | None = None
) -> OldAlert:
    """Begun and open; no shard is due or in work. `retries` are the slots and attempts in the first shard."""
    redis, alert = store.server.redis, OldAlert(new_alert_id(NOW), ledgers)
    draft = {"headline": "Aid convoy", "body": "", "url": "https://news.example.com/", "topics": ["world"],
             "level": "breaking", "image": None, "icon": None, "actions": [], "language": None, "ttl": 14_400,
             "expires_at": None}  # fmt: skip
    row = {"id": alert.id, "draft": draft, "author": "desk", "queued_at": NOW.isoformat().replace("+00:00", "Z")}
    services = sorted({shard.rpartition(".")[0] for shard in ledgers})
    kept = {
        "alert": json.dumps(row, separators=(",", ":")),
        "state": "sending",
        "queued_ms": NOW_MS,
        "queue": "priority",
        "level": "breaking",
        "began_ms": milliseconds(began_at),
        "ends_ms": milliseconds(began_at + timedelta(seconds=14_400)),
        "services": ",".join(services),
    }
    await redis.hset(f"{{alerts}}:alert:{alert.id}", mapping=kept)
    for name in ("by-time", "open", "ledgers"):
        await redis.zadd(f"{{alerts}}:{name}", {alert.id: NOW_MS})
    await redis.incr("{alerts}:count")
    bounds = {service: SHARD_SIZE * sum(shard.startswith(service) for shard in ledgers) for service in services}
    await redis.hset(f"{{alerts}}:bounds:{alert.id}", mapping=bounds)
    for number, (shard, marks) in enumerate(ledgers.items()):
        due = {} if number else retries or {}
        run = {
            "epoch": 1,
            "ledger": marks.encode().ljust(SHARD_SIZE, b"\0"),
            "counts": json.dumps(alert.counts(shard), separators=(",", ":")),
            "retries": b"".join(_RETRY.pack(slot, attempts, NOW_MS) for slot, attempts in due.items()),
        }
        await redis.hset(f"{{{shard}}}:run:{alert.id}", mapping=run)
        await redis.hset(f"{{alerts}}:epochs:{alert.id}", shard, 1)
    return alert


async def closed(store: Store, alert: OldAlert) -> dict[str, Any]:
    """Ends it as it ended then; gives its totals."""
    outcomes = {name: alert.total(name) for name in OUTCOMES}
    eligible = sum(outcomes.values())
    totals = {"eligible": eligible, **outcomes, "unaccounted": 0, "skipped": {}, "by_push_service": {},
              "first_at": None, "p50_seconds": 2.8, "p90_seconds": 2.8, "p99_seconds": 2.8,
              "within_120_s": outcomes["accepted"]}  # fmt: skip
    key, redis = f"{{alerts}}:alert:{alert.id}", store.server.redis
    await redis.hset(key, mapping={"state": "sent", "totals": json.dumps(totals), "ended_ms": NOW_MS + 9_000})
    await redis.zrem("{alerts}:open", alert.id)
    return totals


async def due(store: Store, alert: OldAlert, shard: str) -> None:
    service = shard.rpartition(".")[0]
    await store.server.redis.zadd(f"{{alerts}}:due:{alert.id}:{service}", {shard: NOW_MS})


async def leased(store: Store, alert: OldAlert, shard: str, until_ms: int) -> None:
    service = shard.rpartition(".")[0]
    await store.server.redis.zadd(f"{{alerts}}:leased:{alert.id}:{service}", {shard: until_ms})
