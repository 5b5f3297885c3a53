"""Alerts before they go out: changed by compare-and-set, since two people may be at one."""

import secrets
from collections.abc import Sequence

from tocsin.clock import milliseconds
from tocsin.domain.alerts import Alert, AlertState
from tocsin.store.alerts import BY_TIME, COUNT, OPEN, PREFIX, TIMED, AlertStatus, alert_key, chain_key
from tocsin.store.client import Server


class Drafts:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def change(
        self,
        seen: AlertStatus,
        alert: Alert,
        state: AlertState,
        now_ms: int,
        *,
        writers: Sequence[str],
        approved_by: str | None = None,
        after: str = "",
    ) -> bool:
        """False where the alert is no longer what was seen, or the last of its chain no longer `after`.

        On disk when this returns, like a new one.
        """
        keys = [alert_key(alert.id), BY_TIME, OPEN, COUNT, TIMED, chain_key(alert.chain)]
        changed = await self._server.run(
            "change_alert",
            keys,
            alert.id,
            seen.state,
            seen.edition,
            alert.model_dump_json(),
            alert.queue,
            alert.draft.level,
            state,
            milliseconds(alert.queued_at),
            milliseconds(alert.begins_at),
            PREFIX,
            alert.root or "",
            ",".join(writers),
            approved_by or "",
            now_ms,
            after,
            secrets.token_hex(8),
        )
        return bool(changed)
