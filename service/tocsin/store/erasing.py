"""What a deleted browser leaves beside its record: its own receipts, failures, and lines in the server's log."""

from tocsin.domain.subscriptions import Address
from tocsin.store.alerts import LEDGERS
from tocsin.store.client import Server, answering
from tocsin.store.failures import Failure, Failures
from tocsin.store.ledgers import receipts_key
from tocsin.store.log import Log


class Erasing:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._failures = Failures(server)
        self._log = Log(server)

    async def forget(self, address: Address, now_ms: int) -> None:
        """Clears what stands by its number, which names nobody any more, and notes that the log holds it."""
        alert_ids = await self._forget_receipts(address)
        if alert_ids:
            await self._failures.forget([Failure(alert_id, address, "", 0).id for alert_id in alert_ids])
        await self._log.erased(now_ms)

    async def forget_receipts(self, address: Address, now_ms: int) -> None:
        """What a browser told in its own name, whose reader has taken the consent back."""
        await self._forget_receipts(address)
        await self._log.erased(now_ms)

    async def _forget_receipts(self, address: Address) -> list[str]:
        """Gives the alerts that there may have been any of."""
        async with answering():
            rows = await self._server.redis.zrange(LEDGERS, 0, -1)
        alert_ids = [row.decode() for row in rows]
        if alert_ids:
            keys = [receipts_key(address.shard, alert_id) for alert_id in alert_ids]
            await self._server.run("clear_receipts", keys, address.slot)
        return alert_ids
