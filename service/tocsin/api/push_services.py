"""The push services as an operator sees them: what they answer, and how fast and whether we send to them."""

from collections import Counter

from tocsin import clock
from tocsin.api.models import Latency, PushServiceView
from tocsin.domain.deliveries import Outcome
from tocsin.domain.endpoints import KNOWN_PUSH_SERVICES
from tocsin.domain.errors import NotFound
from tocsin.domain.pace import PaceState
from tocsin.domain.progress import percentile
from tocsin.store.processes import Counted
from tocsin.store.store import Store


async def push_service_views(store: Store) -> list[PushServiceView]:
    """The known ones first, also before their first subscription."""
    counted = await store.processes.total(clock.milliseconds(clock.now()))
    subscriptions, quarantined = await store.numbers.counts(), await store.numbers.quarantined()
    states = await store.pace.states()
    names = dict.fromkeys((*KNOWN_PUSH_SERVICES, *sorted({*subscriptions, *counted.statuses, *states})))
    return [
        _view(name, subscriptions.get(name, 0), quarantined.get(name, 0), states.get(name, PaceState()), counted)
        for name in names
    ]


async def push_service_view(store: Store, name: str) -> PushServiceView:
    """Raises NotFound."""
    for view in await push_service_views(store):
        if view.push_service == name:
            return view
    raise NotFound("there is no such push service")


def _view(name: str, subscriptions: int, quarantined: int, state: PaceState, counted: Counted) -> PushServiceView:
    times = {int(bucket): count for bucket, count in counted.latency.get(name, {}).items()}
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    outcomes = counted.outcomes.get(name, Counter[str]())
    return PushServiceView(
        push_service=name,
        subscriptions=subscriptions,
        quarantined=quarantined,
        answers={str(outcome): outcomes[outcome] for outcome in Outcome},
        statuses=dict(sorted(counted.statuses.get(name, {}).items())),
        breaker=state.breaker,
        held_until=state.held_until,
        retry_after_until=state.retry_after_until,
        pace_per_second=state.per_second,
        stopped=state.stopped,
        storm_since=state.storm_since,
        latency_ms=None if p50 is None or p99 is None else Latency(p50=p50 * 1000, p99=p99 * 1000),
    )
