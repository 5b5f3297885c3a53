"""Push services that answer wrongly, late, or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

from faults.account import ALL_LINES
from faults.catalogue import after_restart, fault
from faults.scene import PUSH_SERVICES, Scene
from tocsin.simulator.faults import (
    CertificateFault,
    DelayFault,
    DribbleFault,
    EndlessFault,
    Fault,
    HangFault,
    RedirectFault,
    RefuseFault,
    ResetFault,
    StatusFault,
    ThrottleFault,
)
from town import WAIT_SECONDS


async def outage(scene: Scene, faults: Sequence[Fault], seconds: float = 1.0) -> None:
    """One push service fails mid-run for so long, and a second alert meets it from its beginning."""
    name = scene.rng.choice(PUSH_SERVICES)
    await scene.under_way()
    await scene.send()
    scene.strike()
    await scene.slow_down(*faults, push_services=(name,))
    await asyncio.sleep(scene.rng.uniform(0.5, 1) * seconds * (3 if scene.full else 1))  # the fault is this time itself
    await scene.slow_down(push_services=(name,))
    scene.over()


async def dropping(scene: Scene, faults: Sequence[Fault]) -> None:
    """The same where connections break: what was taken and not answered yet is asked for again (G4)."""
    await outage(scene, faults)
    scene.may_repeat += 2 * len(scene.senders()) * scene.window


@fault("push service refuses connections", after_restart)
async def refuses(scene: Scene) -> None:
    await dropping(scene, [RefuseFault()])


@fault("push service hangs", after_restart)
async def hangs(scene: Scene) -> None:
    await outage(scene, [HangFault()], 1.5)


@fault("push service dribbles", after_restart)
async def dribbles(scene: Scene) -> None:
    await outage(scene, [DribbleFault(status=500)])


@fault("push service answers 500", after_restart)
async def answers_500(scene: Scene) -> None:
    await outage(scene, [StatusFault(status=500)])


@fault("429 with Retry-After in seconds", after_restart)
async def answers_429_seconds(scene: Scene) -> None:
    await outage(scene, [StatusFault(status=429, retry_after=1)])


@fault("429 with Retry-After as an HTTP date", after_restart)
async def answers_429_date(scene: Scene) -> None:
    await outage(scene, [StatusFault(status=429, retry_after=2, retry_after_as="http_date")])


@fault("429 over a rate (406 at WNS)", after_restart)
async def over_a_rate(scene: Scene) -> None:
    await outage(scene, [ThrottleFault(per_second=50, burst=50)])


# With the most seconds that each may keep a push service waiting; None for an hour, which no test waits.
ABSURD = {
    "-5": 1.0,
    "0": 1.0,
    "": 1.0,
    "soon": 1.0,
    "1e3": 1.0,
    "Sun, 06 Nov 1994 08:49:37 GMT": 1.0,
    "Wed, 32 Foo 2026 99:99:99 GMT": 1.0,
    "99999999999999999999": None,
    "Fri, 31 Dec 9999 23:59:59 GMT": None,
}


@fault("429 with absurd values of Retry-After", after_restart)
async def answers_429_absurd(scene: Scene) -> None:
    """None of them keeps a push service waiting for more than an hour; those that do keep it so long are let go here
    as an hour would."""
    text, most = scene.rng.choice(list(ABSURD.items()))
    name = scene.rng.choice(PUSH_SERVICES)
    await scene.under_way()
    await scene.send()
    scene.strike()
    await scene.slow_down(StatusFault(status=429, headers={"retry-after": text}), push_services=(name,))
    asked = (await scene.town.simulator.summary()).push_services[name].requests
    async with asyncio.timeout(10):
        while (await scene.town.simulator.summary()).push_services[name].requests <= asked:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # so that the answer has been written down
    await scene.slow_down(push_services=(name,))
    held = (await scene.town.store.pace.states())[name].held_until
    now = await scene.town.store.runs.now()
    seconds = (held - now).total_seconds() if held else 0.0
    limit = 3_600 if most is None else max(most, scene.town.settings.retry_seconds)
    scene.require(seconds <= limit, f"Retry-After: {text!r} keeps {name} waiting for {seconds:.0f} s")
    scene.require(most is not None or seconds > 3_000, f"Retry-After: {text!r} was not heeded")
    await scene.town.store.server.redis.hdel("{alerts}:held", name)
    scene.over()


@fault("401 to all")
async def answers_401(scene: Scene) -> None:
    await our_key_refused(scene, 401)


@fault("403 to all")
async def answers_403(scene: Scene) -> None:
    await our_key_refused(scene, 403)


async def our_key_refused(scene: Scene, status: int) -> None:
    """The push service is stopped within 100 requests, nobody is deleted, and an operator lets it go on."""
    name = scene.rng.choice(PUSH_SERVICES)
    await scene.under_way()
    scene.strike()
    await scene.slow_down(StatusFault(status=status), push_services=(name,))
    await scene.send(level="flash")
    await until_it_says(scene, name, "stopped", "vapid_refused")
    await asyncio.sleep(0.5)  # for whatever would still come
    lines = await scene.town.simulator.log(push_service=name, status=status, limit=ALL_LINES)
    scene.require(len(lines) <= 100, f"{len(lines)} requests were made before {name} was stopped")
    for sent in scene.alerts:
        sent.excused |= {line.browser for line in lines if line.browser and line.alert == sent.id}
    await scene.slow_down(push_services=(name,))
    await scene.ops(f"push-services/{name}/resume", "POST")
    scene.over()


async def until_it_says(scene: Scene, push_service: str, field: str, wanted: str | None = None) -> None:
    """The operators' page: until this field of a push service has this value, or any."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            rows = (await scene.ops("push-services"))["push_services"]
            (row,) = (row for row in rows if row["push_service"] == push_service)
            if row[field] is not None and wanted in (None, row[field]):
                return
            await asyncio.sleep(0.02)


@fault("410 to 80 %")
async def answers_410(scene: Scene) -> None:
    """A storm: nobody is deleted before somebody has looked. The seed says what they decide."""
    await scene.under_way()
    scene.strike()
    fault = StatusFault(status=410, share=0.8, seed=scene.rng.randint(0, 99))
    await scene.slow_down(fault, push_services=("fcm",))
    await scene.send(level="flash")
    await until_it_says(scene, "fcm", "storm_since")
    await scene.hasten()
    await scene.slow_down(fault, push_services=("fcm",))
    for sent in list(scene.alerts):
        await scene.town.ended(sent.id)
    await scene.hasten()
    lines = await scene.town.simulator.log(status=410, limit=ALL_LINES)
    told = {line.browser for line in lines if line.browser}
    for sent in scene.alerts:
        sent.excused |= told  # whoever the first called gone is not there for the second
    verdict = scene.rng.choice(("restore", "restore", "confirm")) if scene.full else "restore"
    await scene.ops(f"push-services/fcm/{verdict}", "POST")
    missing = await scene.population.missing()
    expected: set[str] = set() if verdict == "restore" else told
    scene.require(missing == expected, f"after {verdict} {len(missing)} are gone, not {len(expected)}")
    await scene.population.mend(missing)
    await scene.send(level="flash")


@fault("redirect (307)", after_restart)
async def redirects(scene: Scene) -> None:
    await outage(scene, [RedirectFault(location="https://push.example.net/elsewhere")])


@fault("endless body", None)
async def endless(scene: Scene) -> None:
    """It is cut at 4 KB; the status that came before it counts, so there is nothing to recover from."""
    await outage(scene, [EndlessFault(status=201, delivered=True)])


@fault("certificate of another name", after_restart)
async def wrong_name(scene: Scene) -> None:
    await dropping(scene, [CertificateFault(certificate="wrong_name")])


@fault("expired certificate", after_restart)
async def expired(scene: Scene) -> None:
    await dropping(scene, [CertificateFault(certificate="expired")])


@fault("connection reset in mid-request", after_restart)
async def reset_in_request(scene: Scene) -> None:
    await dropping(scene, [ResetFault(when="mid_request", count=scene.rng.randint(1, 30))])


@fault("connection reset after the request was read", after_restart)
async def reset_after_request(scene: Scene) -> None:
    """The push service has the message, and we cannot know: each such reset may repeat what was on its connection."""
    resets = scene.rng.randint(1, 30)
    await outage(scene, [ResetFault(when="after_request", count=resets, delivered=True)])
    scene.may_repeat += resets * scene.window


@fault("one push service slow, the others well")
async def one_slow(scene: Scene) -> None:
    """The others are through while it is as slow as it can be without failing."""
    name = scene.rng.choice(PUSH_SERVICES[1:])
    others = [each for each in PUSH_SERVICES if each != name]
    scene.strike()
    slow = DelayFault(milliseconds=int(scene.town.settings.request_seconds * 800))
    await scene.town.simulator.set_faults(name, slow)
    sent = await scene.send()

    def through(progress: dict[str, Any]) -> bool:
        parts = progress["by_push_service"]
        return all(each in parts and not parts[each]["pending"] for each in others)

    await scene.town.progress_until(sent.id, through)
