"""Whether there is nothing to send: what only gets ready for the next alert must not take time from this one."""

from tocsin.store.alerts import HELD, OPEN, PREFIX, ROUND, TIMED
from tocsin.store.client import Server


class Idleness:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def is_idle(self) -> bool:
        """True also while alerts wait for later: for a retry, for a push service that is held, for quiet hours."""
        return bool(await self._server.run("is_idle", [OPEN, TIMED, HELD], PREFIX, ROUND))
