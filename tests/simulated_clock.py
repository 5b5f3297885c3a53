"""One clock for a whole simulation: it runs as a clock does, and is set forward over hours in which nothing happens.

Everything in Python asks `tocsin.clock.now`. The store's scripts ask the server; here some lines before each of them
add the same seconds to what the server says. Nothing else of the scripts, and nothing of the product, is changed.
"""

import math
from datetime import UTC, datetime, timedelta

import pytest

from tocsin import clock
from tocsin.store import client
from tocsin.store.runs import Runs
from tocsin.store.store import Store

_KEY = "{alerts}:simulated-seconds"
_ASK = "redis.call('TIME')"
_AHEAD = f"""local function simulated_time()
  local time = {_ASK}
  return {{time[1] + (redis.call('GET', '{_KEY}') or 0), time[2]}}
end
"""


class SimClock:
    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """For stores that are opened after this."""
        read = client._source

        def source(script: str) -> str:
            text = read(script)
            return _AHEAD + text.replace(_ASK, "simulated_time()") if _ASK in text else text

        async def now(_: Runs) -> datetime:
            return self.now()

        patch.setattr(clock, "now", self.now)
        patch.setattr(client, "_source", source)
        patch.setattr(Runs, "now", now)

    async def set_forward(self, store: Store, moment: datetime) -> None:
        """It is this moment now, or up to a second later; never goes back."""
        seconds = math.ceil((moment - self.now()).total_seconds())
        if seconds > 0:
            await self._set(store, self._ahead + timedelta(seconds=seconds))

    async def begin(self, store: Store, moment: datetime) -> None:
        await self._set(store, timedelta(seconds=round((moment - datetime.now(UTC)).total_seconds())))

    async def _set(self, store: Store, ahead: timedelta) -> None:
        await store.server.redis.set(_KEY, int(ahead.total_seconds()))
        self._ahead = ahead
