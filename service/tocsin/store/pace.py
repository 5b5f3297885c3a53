"""How fast and whether we may send to each push service: one state for all workers, by the store's clock.

`grant` and `report` each are one script, so that any number of processes draw from the same buckets. What is told of a
window twice (the store stalled, and the worker repeated the call) is counted twice: buckets a little fuller, a breaker
a little sooner, nothing that lasts. No alert's account depends on any of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.pace import Breaker, Grant, PaceLimits, PaceState, WindowReport
from tocsin.settings import Settings
from tocsin.store.alerts import HELD, PREFIX
from tocsin.store.client import Argument, Script, Server, answering

log = structlog.get_logger()

STORMS = PREFIX + "storms"  # hash, push service → since when the gone are quarantined
_KNOWN = PREFIX + "paced"
_WHOLE = PREFIX + "rate"

# As report_window.lua keeps them, slice by slice, beside the number of the slice.
_ANSWERS = ("accepted", "throttled", "failed", "refused", "gone", "rejected")
_MINUTE_MS, _SLICES = 60_000, 20


class Pace:
    def __init__(self, server: Server, limits: PaceLimits) -> None:
        self._server = server
        self._limits = limits
        self._limits_json = json.dumps({name: value for name, value in asdict(limits).items() if value is not None})

    @classmethod
    def from_settings(cls, server: Server, settings: Settings) -> "Pace":
        limits = PaceLimits(
            max_per_second=settings.max_per_second,
            start_per_second=settings.start_per_second,
            breaker_ms=int(settings.breaker_seconds * 1000),
            retry_ms=int(settings.retry_seconds * 1000),
            # Longer than its request may take, with what it waits for before and after.
            probe_ms=int(settings.request_seconds * 1500),
        )
        return cls(server, limits)

    async def grant(self, push_service: str, alert_id: str, alert_rate: int | None, wanted: int, retries: int) -> Grant:
        """How many of `wanted` requests, `retries` of them repeats, may go now. What is granted is taken."""
        if wanted <= 0:
            return Grant(0, 0, None)
        return await self._server.call(self.granting(push_service, alert_id, alert_rate, wanted, retries))

    def granting(
        self, push_service: str, alert_id: str, alert_rate: int | None, wanted: int, retries: int
    ) -> Script[Grant]:
        keys = [_key(push_service), HELD, _WHOLE, f"{_WHOLE}:{alert_id}", _KNOWN]
        arguments: list[Argument] = [self._limits_json, push_service, wanted, retries, alert_rate or ""]
        return Script("grant_requests", keys, arguments, _grant)

    async def report(self, push_service: str, window: WindowReport) -> None:
        """What became of a window. Told for each grant, also where nothing was sent (`unsent`)."""
        await self._server.call(self.reporting(push_service, window))

    def reporting(self, push_service: str, window: WindowReport) -> Script[None]:
        told: dict[str, Any] = {name: value for name, value in asdict(window).items() if value is not None}
        if (retry_after := told.pop("retry_after", None)) is not None:
            told["retry_after_ms"] = int(retry_after * 1000)
        keys = [_key(push_service), HELD, STORMS, _KNOWN]

        def tell(events: list[Any]) -> None:
            _tell(push_service, [event.decode() if isinstance(event, bytes) else event for event in events])

        return Script("report_window", keys, [self._limits_json, push_service, json.dumps(told)], tell)

    async def hold(self, push_service: str, until: datetime) -> None:
        """Pauses a push service for all workers, never for less than it was."""
        await self._server.run("hold_service", [HELD], push_service, milliseconds(until))

    async def resume(self, push_service: str) -> None:
        """Lets a stopped push service go on and closes its breaker. A pause that it asked for itself stays."""
        await self._server.run("resume_service", [_key(push_service), HELD], push_service)

    async def storms(self) -> set[str]:
        """Push services whose gone are quarantined."""
        async with answering():
            return {name.decode() for name in await self._server.redis.hkeys(STORMS)}

    async def end_storm(self, push_service: str) -> None:
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            pipe.hdel(STORMS, push_service)
            pipe.hdel(_key(push_service), "gone", "few", "few_gone", "few_at")
            await pipe.execute()

    async def states(self) -> dict[str, PaceState]:
        """Every push service that anything was ever sent to."""
        async with answering():
            known = await self._server.redis.smembers(_KNOWN)
            async with self._server.redis.pipeline(transaction=True) as pipe:
                pipe.time()
                pipe.hgetall(HELD)
                pipe.hgetall(STORMS)
                names = sorted(name.decode() for name in known)
                for name in names:
                    pipe.hgetall(_key(name))
                (seconds, microseconds), held, storms, *rows = await pipe.execute()
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        kept = dict(zip(names, rows, strict=True))
        return {
            name: self._state(kept.get(name, {}), held.get(name.encode()), storms.get(name.encode()), now_ms)
            for name in sorted({*kept, *(name.decode() for name in (*held, *storms))})
        }

    def _state(self, row: Mapping[bytes, bytes], held: bytes | None, storm: bytes | None, now_ms: int) -> PaceState:
        def until(value: bytes | None) -> datetime | None:
            return from_milliseconds(int(value)) if value and int(value) > now_ms else None

        rested = int(row.get(b"used_at", 0)) < now_ms - self._limits.idle_ms
        rate = float(row.get(b"rate", "inf"))
        return PaceState(
            breaker=_breaker(row, now_ms),
            held_until=until(held),
            retry_after_until=until(row.get(b"retry_after_until")),
            per_second=None if rested or rate > self._limits.unlimited_per_second else rate,
            stopped=row[b"stopped"].decode() if b"stopped" in row else None,
            storm_since=from_milliseconds(int(storm)) if storm else None,
            answers=_last_minute(row.get(b"minute"), now_ms),
        )


def _grant(row: Any) -> Grant:
    first, again, until, now = map(int, row)
    if not until:
        return Grant(first, again, None)
    return Grant(0, 0, from_milliseconds(until), (until - now) / 1000)


def _key(push_service: str) -> str:
    return f"{PREFIX}pace:{push_service}"


def _breaker(row: Mapping[bytes, bytes], now_ms: int) -> Breaker:
    if b"breaker" not in row:
        return Breaker.CLOSED
    return Breaker.OPEN if int(row.get(b"open_until", 0)) > now_ms else Breaker.HALF_OPEN


def _last_minute(slices: bytes | None, now_ms: int) -> dict[str, int]:
    present = now_ms * _SLICES // _MINUTE_MS
    recent = [slice_ for slice_ in json.loads(slices or b"[]") if 0 <= present - slice_[0] <= _SLICES]
    return {name: sum(int(slice_[place]) for slice_ in recent) for place, name in enumerate(_ANSWERS, start=1)}


def _tell(push_service: str, events: list[Any]) -> None:
    """What an operator should know of, once."""
    if "stopped" in events:
        log.error(
            "push service stopped: it refuses our VAPID key; see to the key, then resume it",
            push_service=push_service,
        )
    if "opened" in events:
        log.warning("breaker open", push_service=push_service, seconds=events[events.index("opened") + 1] / 1000)
    if "closed" in events:
        log.info("breaker closed", push_service=push_service)
    if "storm" in events:
        log.error(
            "storm of gone subscriptions: quarantined until somebody restores or confirms", push_service=push_service
        )
