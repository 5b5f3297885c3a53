"""What there was to warn of when an alert was queued, kept for the hours in which somebody may look."""

import json
from collections.abc import Sequence

from tocsin.domain.cautions import Warned
from tocsin.store.alerts import PREFIX
from tocsin.store.client import Server, answering

KEEP_SECONDS = 6 * 3_600


class Warnings:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def keep(self, alert_id: str, warnings: Sequence[Warned]) -> None:
        """All that there are: what was kept before is replaced."""
        rows = json.dumps([(warned.code, warned.detail) for warned in warnings])
        async with answering():
            await self._server.redis.set(_key(alert_id), rows, ex=KEEP_SECONDS)

    async def of(self, alert_id: str) -> tuple[Warned, ...]:
        async with answering():
            kept = await self._server.redis.get(_key(alert_id))
        return tuple(Warned(code, detail) for code, detail in json.loads(kept or "[]"))


def _key(alert_id: str) -> str:
    return f"{PREFIX}warnings:{alert_id}"
