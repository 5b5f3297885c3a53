"""Warnings beside queuing: what looks like an alert of the last minutes, and a link that is not there yet.

The link is opened as soon as its alert is parsed. A 202 waits for it no longer than for the store, and tells what is
known by then; what comes later is kept with the alert. Only an estimate, which sends nothing, waits for it.
"""

import asyncio
from collections.abc import Collection, Coroutine

import structlog

from tocsin import clock
from tocsin.domain.alerts import Alert, AlertDraft
from tocsin.domain.cautions import ANY_LINK_HOST, LINK_NOT_READY, RECENT, Warned, similar_alert
from tocsin.domain.text import link_fault
from tocsin.push.links import SECONDS, Links
from tocsin.settings import Settings
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

log = structlog.get_logger()

# An estimate and the alert after it open a link once.
KEEP_OPENED_SECONDS = 10.0
# Far less than a caller's patience: the store has just taken the alert, so it answers this as well.
STORE_SECONDS = 0.3
_PAGE = 50
# Rejected or never asked for: nobody gets these.
_NOT_SENT = ("draft", "rejected")


class Cautions:
    """Raises Misconfigured for certificates that cannot be used; no other method raises."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._links = Links.from_settings(settings) if settings.link_check else None
        self._opened: dict[str, asyncio.Task[str | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, draft: AlertDraft) -> None:
        """Opens the link now, so that it is known when it is asked for."""
        self._open(draft.url)

    async def known(self, alert: Alert, own: Collection[str] = (), changed: bool = False) -> tuple[Warned, ...]:
        """What there is to say of an alert that was just queued, or `changed`, without waiting for its link.

        `own` are alerts that it may look like: those that it corrects.
        """
        found = self._site()
        kept = await self._similar(alert.draft, (alert.id, *own))
        opening = self._open(alert.draft.url)
        if opening is not None and opening.done():
            kept += _not_ready(opening.result())
        elif opening is not None:
            self._soon(self._keep_late(alert.id, kept, opening))
        if kept or changed:
            await self._keep(alert.id, kept)
        return found + kept

    async def all(self, draft: AlertDraft, own: Collection[str] = ()) -> tuple[Warned, ...]:
        """Everything, which may take the link's 2 s. `own` are alerts that it may look like: itself, its original."""
        opening = self._open(draft.url)
        similar = await self._similar(draft, own)
        if opening is not None:
            await asyncio.wait((opening,))
        return self._site() + similar + (_not_ready(opening.result()) if opening else ())

    async def of(self, alert_id: str) -> tuple[Warned, ...]:
        """What is kept of an earlier one. Raises Unavailable."""
        return await self._store.warnings.of(alert_id)

    async def again(self, alert_id: str) -> tuple[Warned, ...]:
        """What a repeat of the call that queued it is told."""
        return self._site() + await self.of(alert_id)

    async def close(self) -> None:
        """What is still to be kept is kept; the rest is given up."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=SECONDS)
        if self._links is not None:
            await self._links.close()

    def _site(self) -> tuple[Warned, ...]:
        if self._settings.allowed_link_hosts:
            return ()
        detail = "alerts may link to any https host; set ALLOWED_LINK_HOSTS to your own"
        return (Warned(ANY_LINK_HOST, detail),)

    async def _similar(self, draft: AlertDraft, own: Collection[str]) -> tuple[Warned, ...]:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                recent = await self._recent()
            others = [status.alert for status in recent if status.alert.id not in own and status.state not in _NOT_SENT]
            warned = similar_alert(draft, others, clock.now())
        except Exception as error:  # noqa: BLE001 (a warning must cost nobody the alert)
            log.warning("no look at recent alerts", error=type(error).__name__)
            return ()
        return (warned,) if warned else ()

    async def _recent(self) -> list[AlertStatus]:
        """Newest first; some at the end may be older."""
        since = clock.now() - RECENT
        found: list[AlertStatus] = []
        while True:
            page = await self._store.alerts.latest(_PAGE, found[-1].alert.id if found else None)
            found += page
            if len(page) < _PAGE or page[-1].alert.queued_at < since:
                return found

    def _open(self, url: str) -> "asyncio.Task[str | None] | None":
        """The one opening of this link in these seconds. None where the check is off, or the link no reader's."""
        if self._links is None or link_fault(url, self._settings.allowed_link_hosts):
            return None
        opening = self._opened.get(url)
        if opening is None:
            opening = self._opened[url] = asyncio.create_task(self._fault(self._links, url))
            asyncio.get_running_loop().call_later(KEEP_OPENED_SECONDS, self._opened.pop, url, None)
        return opening

    async def _fault(self, links: Links, url: str) -> str | None:
        try:
            return await links.fault(url)
        except Exception as error:  # noqa: BLE001 (as above)
            log.warning("a link could not be looked at", error=type(error).__name__)
            return None

    async def _keep_late(self, alert_id: str, kept: tuple[Warned, ...], opening: "asyncio.Task[str | None]") -> None:
        late = _not_ready(await opening)
        if late:
            await self._keep(alert_id, kept + late)

    async def _keep(self, alert_id: str, warnings: tuple[Warned, ...]) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.warnings.keep(alert_id, warnings)
        except Exception as error:  # noqa: BLE001 (as above)
            log.warning("warnings are not kept", alert=alert_id, error=type(error).__name__)

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


def _not_ready(fault: str | None) -> tuple[Warned, ...]:
    return (Warned(LINK_NOT_READY, f"the link {fault}"),) if fault else ()
