"""The account of a fault by the simulator's own record: who decrypted what, and how soon it went on."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from faults.scene import Scene
from tocsin.simulator.models import LogLine

# A request that was on its way when the strike came may be noted this much later.
ON_ITS_WAY_SECONDS = 0.05
# A shard with a request so shortly before the strike was in work.
IN_WORK_SECONDS = 0.5
GONE = (404, 410)
ALL_LINES = 500_000


@dataclass(frozen=True)
class Account:
    """Over all alerts of a fault. `recovery` is the longest that a shard in work waited for its next request."""

    eligible: int
    missed: int
    duplicates: int
    against: int
    wrongly_deleted: int
    keys_reused: int
    recovery: float | None


async def account(scene: Scene) -> Account:
    """Asks the simulator what arrived, and Tocsin whom it still knows."""
    eligible = missed = duplicates = against = 0
    told_gone: set[str] = set()
    recovery: list[float] = []
    scene.population.keys.see(await scene.town.simulator.log(limit=ALL_LINES))
    for sent in scene.alerts:
        lines = await scene.town.simulator.log(alert=sent.id, limit=ALL_LINES)
        gone = {line.browser for line in lines if line.browser and line.status in GONE}
        told_gone |= gone
        wanted = scene.population.eligible(sent.body)
        received = await scene.town.simulator.received(sent.id)
        eligible += len(wanted)
        missed += len(wanted - received.keys() - gone - sent.excused)
        duplicates += sum(count - 1 for count in received.values())
        against += sum(browser not in wanted for browser in received)
        recovery += _pauses(scene, sent.queued_at, lines)
    return Account(
        eligible=eligible,
        missed=missed,
        duplicates=duplicates,
        against=against,
        wrongly_deleted=await _wrongly_deleted(scene, told_gone),
        keys_reused=scene.population.keys.reused,
        recovery=round(max(recovery), 3) if recovery else None,
    )


def _pauses(scene: Scene, queued_at: float, lines: Sequence[LogLine]) -> list[float]:
    """How long each shard that was in work at the strike waited for its next request; the whole alert, where it had
    none yet."""
    if not scene.struck_at:
        return []
    from_here = max(scene.over_at, queued_at)
    struck_at, after = scene.struck_at, from_here + (ON_ITS_WAY_SECONDS if scene.over_at == scene.struck_at else 0)
    in_work: set[str] = set()
    first: dict[str, float] = {}
    for line in lines:
        reader = scene.population.readers.get(line.browser or "")
        if reader is None:
            continue
        if struck_at - IN_WORK_SECONDS <= line.at <= struck_at:
            in_work.add(reader.shard)
        if line.at > after and line.status is not None and line.status < 300:
            first.setdefault(reader.shard, line.at)
    if not in_work:
        return [min(first.values()) - from_here] if first else []
    return [at - from_here for shard, at in first.items() if shard in in_work]


async def _wrongly_deleted(scene: Scene, told_gone: set[str]) -> int:
    """Readers that no push service called gone and that Tocsin does not know any more."""
    population = scene.population
    expected = Counter(population.counts())
    expected.subtract(population.readers[browser].push_service for browser in told_gone)
    counts = await scene.town.store.numbers.counts()
    if not scene.full and not told_gone and all(counts.get(name) == count for name, count in expected.items()):
        return 0
    return len(await population.missing() - told_gone)


def repeats(lines: Sequence[LogLine]) -> dict[str, list[LogLine]]:
    """For whoever looks into it: the requests to each browser that had more than one."""
    by_browser: dict[str, list[LogLine]] = defaultdict(list)
    for line in lines:
        if line.browser:
            by_browser[line.browser].append(line)
    return {browser: found for browser, found in by_browser.items() if len(found) > 1}
