"""A reader's preferences, changed by whichever call."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.domain.errors import Changed
from tocsin.domain.hours import QuietHours
from tocsin.domain.preferences import Preferences, PreferencesPatch
from tocsin.domain.queues import STANDARD
from tocsin.domain.subscriptions import public_id
from tocsin.store.subscriptions import Kept

# Quick clicks on a page race one another, and so do a page and its worker.
TRIES = 5
# Each distinct set is kept for good, so one browser must not make them without end; a person's clicks are fewer.
PREFERENCE_RATE = "30/minute"

Result = TypeVar("Result")


async def while_changed(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Who comes second looks again at what the other call left."""
    for _ in range(TRIES - 1):
        with suppress(Changed):
            return await attempt()
    return await attempt()


async def prefer(
    call: Call[BaseModel], kept: Kept, patch: PreferencesPatch, path: str = "", among: Preferences | None = None
) -> Kept:
    """The patch applied to what is kept, or to `among`."""
    defaults = await call.services.store.topics.default_preferences()
    wanted = patch.applied_to(among or kept.preferences, defaults, path)
    if wanted == kept.preferences:
        return kept
    services = call.services
    if services.settings.subscribe_rate != "off":
        await services.rates.hit(PREFERENCE_RATE, "preferences", public_id(kept.record.digest))
    changed = await services.store.subscriptions.set_preferences(kept, wanted)
    if _quiet(kept.preferences) not in (None, _quiet(wanted)):
        # What waits for the end of the old quiet hours is asked about again.
        await services.store.runs.defer(kept.address.shard, clock.now())
        services.wake_ups.deliver_soon(STANDARD)
    return changed


def _quiet(preferences: Preferences) -> tuple[QuietHours, str | None] | None:
    """When they are quiet: hours without a zone of their own are in the reader's."""
    hours = preferences.quiet_hours
    return None if hours is None else (hours, hours.time_zone or preferences.time_zone)
