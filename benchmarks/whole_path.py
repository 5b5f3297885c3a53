"""From the 202 to the last 201: a whole Tocsin with its store, its workers and the sink on one machine.

Real subscriptions in a real store, `tocsin up` as anybody runs it, and nginx (HTTP/2 over TLS 1.3, reading every body)
in the place of the push service. Accepted by a local sink: no push service promises this rate. See README.md.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import aiohttp
import million
from cost_chart import cost_chart

from tocsin.bench.machine import describe
from tocsin.bench.processes import choose_cpus
from tocsin.bench.report import STATEMENT
from tocsin.bench.sink import SinkKind, installed_sink, open_sink
from tocsin.cli.supervisor import Supervisor
from tocsin.cli.up import running, settings_for_parts
from tocsin.domain.preferences import Preferences
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings
from tocsin.simulator.authority import Authority
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from town import ADMIN_KEY, ALERT, free_port

HOST = "fcm.googleapis.com"
WIDE, NARROW = "world", "sport"
# One reader in so many follows the narrow topic, too.
ONE_IN = 100
PARTS = ("store", "cache", "api", "worker-priority", "worker-standard", "worker-maintenance", "beat")


async def fill(settings: Settings, readers: int, key_id: bytes) -> float:
    """Gives the store's bytes for each subscription."""
    sets = [Preferences(topics=(WIDE,))] * (ONE_IN - 1) + [Preferences(topics=(NARROW, WIDE))]
    async with Store(settings) as store:
        redis = store.server.redis
        before = (await redis.info("memory"))["used_memory"]
        await million.fill(store, readers, sets, key_id, services=[million.FCM])
        return float(((await redis.info("memory"))["used_memory"] - before) / readers)


async def stocked(settings: Settings) -> tuple[float, float]:
    """Returns when every reader has a prekey: how many were made a second, and the bytes of each in its server."""
    prekeys = Prekeys(settings.prekey_server, settings.prekeys)
    began = at = time.monotonic()
    had = first = 0
    try:
        async with Store(settings) as store:
            shards = await store.numbers.shards()
            wanted = sum(await store.subscriptions.sizes(shards))
            while (have := sum(await prekeys.stock(shards))) < wanted:
                if had == 0 and have > 0:
                    began, first = time.monotonic(), have
                had, at = have, time.monotonic()
                say(f"{have:,} of {wanted:,} prekeys")
                await asyncio.sleep(0.5)
        used = (await prekeys._making.redis.info("memory"))["used_memory"]
    finally:
        await prekeys.close()
    return ((had - first) / (at - began) if at > began else 0.0), used / wanted


class Machine:
    """CPU seconds and memory of each part, by its process and its children."""

    def __init__(self, supervisor: Supervisor, sink: int) -> None:
        self._supervisor = supervisor
        self._sink = sink

    def seconds(self) -> dict[str, float]:
        pids = {name: self._supervisor.part(name).pid for name in PARTS} | {"sink": self._sink}
        return {name: sum(map(_cpu, _family(pid))) for name, pid in pids.items() if pid}

    def worker_memory(self) -> float:
        """MB of the largest sending process."""
        pids = [self._supervisor.part(name).pid for name in ("worker-priority", "worker-standard")]
        return max(_resident(each) for pid in pids if pid for each in _family(pid))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


async def send(settings: Settings, machine: Machine, topic: str, readers: int, timeout: float) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Idempotency-Key": secrets.token_urlsafe(16)}
    body = {**ALERT, "headline": f"Aid convoy {secrets.token_hex(2)} reaches Aleppo", "topics": [topic]}
    # Looked at seldom: who watches shares the machine.
    every = 1.0 if readers > 50_000 else 0.2
    async with aiohttp.ClientSession(settings.origin) as session:
        before = machine.seconds()
        async with session.post("/v1/alerts", json=body, headers=headers) as response:
            assert response.status == 202, await response.text()
            alert = await response.json()
        async with asyncio.timeout(timeout):
            while alert.get("ended_at") is None:
                await asyncio.sleep(every)
                async with session.get(f"/v1/alerts/{alert['id']}", headers=headers) as response:
                    alert = await response.json()
                say(f"{alert['progress']['accepted']:,} of {alert['progress']['eligible']:,}")
        after = machine.seconds()
    return row_of(alert, {name: after[name] - before[name] for name in before}, machine)


def row_of(alert: dict[str, Any], cpu: dict[str, float], machine: Machine) -> dict[str, Any]:
    progress, created = alert["progress"], datetime.fromisoformat(alert["created_at"])
    accepted = progress["accepted"]
    assert accepted == progress["eligible"] > 0, progress
    seconds = (datetime.fromisoformat(alert["ended_at"]) - created).total_seconds()
    since = {"began_ms": alert["began_at"], "first_ms": progress["first_at"]}
    return {
        "accepted": accepted,
        "seconds": seconds,
        **{name: (datetime.fromisoformat(at) - created).total_seconds() * 1000 for name, at in since.items()},
        "p50_seconds": progress["p50_seconds"],
        "p90_seconds": progress["p90_seconds"],
        "messages_per_second": accepted / seconds,
        "cpu_seconds": sum(cpu.values()),
        "cpu_us_a_message": {name: each / accepted * 1e6 for name, each in cpu.items()},
        "worker_mb": machine.worker_memory(),
    }


async def measure(options: argparse.Namespace, readers: int, prekeys: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority(folder / "ca")
        certificate = authority.issue(HOST)
        kind = SinkKind.OWN if options.delay else installed_sink()
        async with open_sink(folder / "sink", *certificate, None, kind, options.delay) as sink:
            settings, environment = settings_for_parts(
                data_dir=folder / "data", port=free_port(), alert_rate="off", link_check="off", admin_key=ADMIN_KEY,
                worker_processes=options.processes, window=options.window, prekeys=prekeys,
                push_connect_to=f"{HOST}:443:127.0.0.1:{sink.port}", push_ca_file=authority.ca_file,
            )  # fmt: skip
            async with running(settings, lambda _: None, environment, folder) as supervisor:
                server = ApplicationServer.load(settings.vapid_file, settings.vapid_subject)
                machine = Machine(supervisor, sink.pid)
                same: dict[str, Any] = {"readers": readers, "prekeys": prekeys, "window": settings.window}
                same["delay_ms"] = options.delay
                same["store_bytes"] = await fill(settings, readers, server.key_id)
                rows = []
                for _ in range(options.rounds):
                    for topic in options.topics:
                        if prekeys:
                            same["prekeys_per_second"], same["prekey_bytes"] = await stocked(settings)
                        row = await send(settings, machine, topic, readers, options.timeout)
                        rows.append({"topic": topic, **same, **row})
                        show(rows[-1])
    return rows


def say(line: str) -> None:
    print(f"\r  {line:60}", end="", file=sys.stderr, flush=True)


def show(row: dict[str, Any]) -> None:
    cpu = row["cpu_us_a_message"]
    parts = ", ".join(f"{name} {each:.1f}" for name, each in cpu.items() if each >= 0.5)
    made = f"; {row['prekeys_per_second']:,.0f} prekeys made a second" if row["prekeys"] else ""
    print(
        f"\r{row['readers']:>9,} readers, {row['prekeys']} prekeys: {row['accepted']:>9,} of {row['topic']} accepted "
        f"in {row['seconds']:.2f} s, begun after {row['began_ms']:.0f} ms, the first after {row['first_ms']:.0f} ms; "
        f"{row['messages_per_second']:,.0f} a second; CPU {row['cpu_seconds']:.1f} s, {sum(cpu.values()):.0f} us a "
        f"message ({parts}); store {row['store_bytes']:.0f} B a reader; worker {row['worker_mb']:.0f} MB{made}"
    )


def run(options: argparse.Namespace) -> None:
    rows = []
    for readers in options.readers:
        for prekeys in options.prekeys:
            rows += asyncio.run(measure(options, readers, prekeys))
    machine = describe(choose_cpus(), {})
    if options.json:
        found = {"machine": machine.model_dump(), "statement": STATEMENT, "rows": rows}
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
    if options.plot:
        foot = f"{machine.cpu}, {machine.cpus} CPUs, with store and sink on them. {STATEMENT}"
        Path(options.plot).write_text(cost_chart([row for row in rows if row["topic"] == WIDE], foot))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--prekeys", type=int, nargs="+", default=[1, 0], help="how many each reader has; 0 for none")
    parser.add_argument("--topics", nargs="+", default=[WIDE, NARROW], help="all follow world, one in 100 sport")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="of each of the two workers that send")
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--delay", type=int, default=0, help="ms until the sink answers; then it is one of our own")
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE", help="what a message costs by the size of the audience, as SVG")
    run(parser.parse_args())
