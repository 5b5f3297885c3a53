"""What one core takes of the readers' API: registering, changing preferences, receipts, and what gives way under load.

An open-loop load (open_loop.py): arrivals by a schedule, each time counted from its moment in it. The client has one
core to itself, one API process and its embedded store share the other; so "per core" includes the store, which writes
every registration and every change to disk before its answer. See README.md beside this file.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import aiohttp
import api_requests as made
from open_loop import Flow, Load, Measured

from tocsin import clock
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.parts import Part, Running
from tocsin.cli.up import settings_for_parts
from tocsin.settings import Settings
from tocsin.store.store import Store
from town import ADMIN_KEY, free_port

LIMIT_MS = 100.0
# The whole of what sheds, switched off: what the same load does to registrations then.
UNSHED = (
    "import sys; from tocsin.api import load; load.MOST_IN_WORK = load.MOST_LAG = 10**9;"
    "from tocsin.cli.main import main; sys.argv = ['tocsin', 'api']; main()"
)


class Scene:
    """A store and an API process on a core of their own."""

    def __init__(self, settings: Settings, processes: list[Running]) -> None:
        self.settings = settings
        self.origin = f"http://127.0.0.1:{settings.port}"
        self._processes = processes

    def cpu_seconds(self) -> float:
        """What API and store have used since they began."""
        ticks = 0
        for process in self._processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    async def measure(self, flows: list[Flow], seconds: float) -> tuple[dict[str, Measured], float]:
        """What was measured, and the share of a core that it took."""
        before = self.cpu_seconds()
        measured = await Load(self.settings.port, flows, seconds).run()
        return measured, (self.cpu_seconds() - before) / seconds

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.origin + path, json=body, headers=headers) as reply,
        ):
            return await reply.json()


@asynccontextmanager
async def scene(core: int, shedding: bool = True, **changes: str) -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        given = {"data_dir": folder, "port": port, "admin_key": ADMIN_KEY, "trusted_proxies": "127.0.0.1"}
        settings, environment = settings_for_parts(**given, **changes)
        argv = [sys.executable, "-m", "tocsin.cli.main", "api"] if shedding else [sys.executable, "-c", UNSHED]
        processes = [Running(part, environment, folder) for part in (*embedded_parts(settings), Part("api", argv))]
        try:
            for process in processes:
                await process.start()
                assert process.pid is not None
                os.sched_setaffinity(process.pid, {core})
            at = Scene(settings, processes)
            await ready(at)
            yield at
        finally:
            for process in reversed(processes):
                process.kill_session()
                await process.ended()


async def ready(at: Scene) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await at.call("GET", "/readyz"))["ready"] and (await at.call("GET", "/v1/site"))["topics"]:
                    return
            except (aiohttp.ClientError, KeyError):
                pass
            await asyncio.sleep(0.1)


async def an_alert(at: Scene) -> str:
    """One whose run has begun, so that receipts of it are counted."""
    alert = {"headline": "Aid convoy reaches Aleppo", "url": "https://news.example.com/x", "topics": ["world"]}
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Idempotency-Key": "one-alert-for-all-receipts"}
    made_alert = await at.call("POST", "/v1/alerts", {**alert, "level": "update"}, **headers)
    async with Store(at.settings) as store:
        now = clock.now()
        await store.runs.begin(made_alert["id"], await store.numbers.bounds(), now, now)
    return str(made_alert["id"])


async def registered(at: Scene, count: int) -> list[dict[str, str]]:
    """Browsers for whom a change or a receipt is sent."""
    async with aiohttp.ClientSession() as session:

        async def one(number: int) -> dict[str, str]:
            headers = {"X-Forwarded-For": made.address(10**6 + number)}
            body = made.registration(topics=["world"])
            async with session.post(f"{at.origin}/v1/subscriptions", json=body, headers=headers) as reply:
                assert reply.status == 201, await reply.text()
                answer: dict[str, str] = await reply.json()
                return answer

        readers: list[dict[str, str]] = []
        for start in range(0, count, 50):
            readers += await asyncio.gather(*map(one, range(start, start + 50)))
        return readers


def passes(measured: Measured) -> bool:
    return not measured.failed and not measured.shed_seconds and measured.ms(0.99) <= LIMIT_MS


async def sustained(at: Scene, flow: Callable[[float], Flow], first: float, seconds: float) -> dict[str, Any]:
    """The highest rate that keeps the limit: up by half until one does not, then between the two."""
    good: dict[str, Any] = {"rate": 0.0}
    bad, rate = float("inf"), first
    while bad / max(good["rate"], 1.0) > 1.1:
        measured, core = await at.measure([flow(rate)], seconds)
        if not passes(measured["it"]):  # once more: on a machine with other work a step may fail by its fault
            measured, core = await at.measure([flow(rate)], seconds)
        it = measured["it"]
        told = f"{rate:7.0f}/s  p50 {it.ms(0.5):6.1f}  p99 {it.ms(0.99):7.1f} ms  core {core:4.0%}"
        late, failed = it.ms(0.99, "late"), dict(it.failed) or ""
        print(f"    {told}  client late p99 {late:.1f} ms  shed {len(it.shed_seconds)}  {failed}", file=sys.stderr)
        if passes(it):
            cpu = core * seconds / it.sent * 1000
            good = {"rate": rate, "p50_ms": it.ms(0.5), "p99_ms": it.ms(0.99), "cpu_ms": cpu, "core": core}
        else:
            bad = rate
        rate = rate * 1.5 if bad == float("inf") else (good["rate"] or bad / 4) * 0.5 + bad * 0.5
        if bad < 20:
            break
    return good


async def singles(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    found = {}
    for name, changes, first in (
        ("register", {}, 100),
        ("preferences", {}, 100),
        ("receipts", {}, 400),
        ("receipts-individual", {"receipts": "individual"}, 200),
    ):
        if options.only and name not in options.only:
            continue
        print(f"  {name}", file=sys.stderr)
        async with scene(options.core, **changes) as at:
            flow = await FLOWS[name](at)
            await at.measure([flow(first)], options.seconds)  # warm
            found[name] = await sustained(at, flow, first, options.seconds)
    return found


async def _register(_: Scene) -> Callable[[float], Flow]:
    bodies = made.registrations()
    return lambda rate: Flow("it", bodies, (201,), rate)


async def _preferences(at: Scene) -> Callable[[float], Flow]:
    changes = made.changes(await registered(at, 3_000))
    return lambda rate: Flow("it", changes, (200,), rate)


async def _receipts(at: Scene) -> Callable[[float], Flow]:
    bodies = made.receipts(await an_alert(at))
    return lambda rate: Flow("it", bodies, (204,), rate, shed=503)


async def _individual(at: Scene) -> Callable[[float], Flow]:
    readers = await registered(at, 3_000)
    alert = await an_alert(at)
    async with Store(at.settings) as store:  # a ledger that says that it was meant for them
        for shard in range(3):
            await store.server.redis.set(f"{{fcm.{shard}}}:ledger:{alert}", b"a" * 1_000)
    bodies = made.receipts(alert, readers)
    return lambda rate: Flow("it", bodies, (204,), rate, shed=503)


FLOWS: dict[str, Callable[[Scene], Awaitable[Callable[[float], Flow]]]] = {
    "register": _register,
    "preferences": _preferences,
    "receipts": _receipts,
    "receipts-individual": _individual,
}


async def mixed(options: argparse.Namespace, registering: float, receipts: float) -> list[dict[str, Any]]:
    """Registrations at half of what a core takes, alone and beside three times the receipts that it takes."""
    rows = []
    for name, shedding, beside in (
        ("alone", True, False),
        ("beside, shedding", True, True),
        ("beside, nothing shed", False, True),
    ):
        async with scene(options.core, shedding) as at:
            told = made.receipts(await an_alert(at))
            flows = [Flow("register", made.registrations(), (201,), registering / 2)]
            await at.measure(flows, options.seconds)  # warm
            if beside:
                flows.append(Flow("receipts", told, (204,), receipts * 3, shed=503))
            measured, core = await at.measure(flows, options.seconds * 2)
        registered_, told_of = measured["register"], measured.get("receipts", Measured())
        rows.append(
            {
                "load": name,
                "registrations_per_second": registering / 2,
                "p50_ms": registered_.ms(0.5),
                "p99_ms": registered_.ms(0.99),
                "failed": dict(registered_.failed),
                "receipts_per_second": receipts * 3 if beside else 0.0,
                "receipts_shed": len(told_of.shed_seconds) / told_of.sent if beside else 0.0,
                "receipts_failed": dict(told_of.failed),
                "client_late_p99_ms": registered_.ms(0.99, "late"),
                "core": core,
            }
        )
        print(f"    {rows[-1]}", file=sys.stderr)
    return rows


def table(figures: dict[str, Any]) -> str:
    lines = [
        "| | a second, highest kept | p50 | p99 | CPU of one call | a second by CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in figures["kinds"].items():
        by_cpu = f"{row['cpu_ms']:.2f} ms | {1000 / row['cpu_ms']:,.0f}"
        lines.append(f"| {name} | {row['rate']:,.0f} | {row['p50_ms']:.1f} ms | {row['p99_ms']:.1f} ms | {by_cpu} |")
    if figures["mixed"]:
        lines += [
            "",
            "| registrations at half of that | a second | p50 | p99 | receipts a second | of them shed |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
    for row in figures["mixed"]:
        times = f"{row['p50_ms']:.1f} ms | {row['p99_ms']:.1f} ms"
        receipts = f"{row['receipts_per_second']:,.0f} | {row['receipts_shed']:.0%}"
        lines.append(f"| {row['load']} | {row['registrations_per_second']:,.0f} | {times} | {receipts} |")
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {options.client_core})
    kinds = await singles(options)
    both = []
    if "register" in kinds and "receipts" in kinds:
        print("  mixed", file=sys.stderr)
        both = await mixed(options, kinds["register"]["rate"], kinds["receipts"]["rate"])
    figures = {
        "limit_p99_ms": LIMIT_MS,
        "seconds_a_step": options.seconds,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()},
        "kinds": kinds,
        "mixed": both,
    }
    print(table(figures))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each step")
    parser.add_argument("--core", type=int, default=1, help="that API and store share")
    parser.add_argument("--client-core", type=int, default=0)
    parser.add_argument("--only", action="append", choices=tuple(FLOWS), help="one kind; may be given again")
    parser.add_argument("--json", metavar="FILE")
    asyncio.run(run(parser.parse_args()))
