"""From the 202 to the last 201: a whole Tocsin, its store, its workers and a local sink on one machine.

Real subscriptions in a real store, `tocsin up` as anybody runs it, and nginx (HTTP/2 over TLS 1.3, reading every body)
in the place of the push service. Accepted by a local sink: no push service promises this rate. See README.md.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.cli.supervisor import Supervisor
from tocsin.cli.up import running, settings_for_parts
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE, Record
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings
from tocsin.simulator.authority import Authority
from tocsin.store import index
from tocsin.store.profiles import NUMBER
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from town import ADMIN_KEY, ALERT, free_port

HOST = "fcm.googleapis.com"
SERVICE = "fcm"
KEYS = 20_000
NARROW = 100  # one reader in so many follows the narrow topic

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_protocols TLSv1.3;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ add_header Location https://{host}/m/1; return 201; }}
  }}
}}
"""


async def fill(settings: Settings, readers: int, key_id: bytes) -> None:
    """As registrations would leave them; a pool of key pairs, since only their number matters here."""
    pool = [
        generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        for _ in range(min(KEYS, readers))
    ]
    now = int(time.time())
    async with Store(settings) as store:
        wide = NUMBER.pack(await store.profiles.number(Preferences(topics=("world",))))
        both = NUMBER.pack(await store.profiles.number(Preferences(topics=("sport", "world"))))
        redis = store.server.redis
        await redis.sadd("{site}:push-services", SERVICE)
        entries: dict[str, dict[bytes, bytes]] = {}
        for first in range(0, readers, SHARD_SIZE):
            shard, records, numbers = f"{SERVICE}.{first // SHARD_SIZE}", {}, bytearray()
            for number in range(first, min(first + SHARD_SIZE, readers)):
                url = f"https://{HOST}/fcm/send/{number}-{secrets.token_urlsafe(108)}"
                record = Record(url, pool[number % len(pool)], secrets.token_bytes(16), key_id, now)
                records[str(number - first)] = record.pack()
                numbers += both if secrets.randbelow(NARROW) == 0 else wide
                bucket, name = index._place(record.digest)
                entries.setdefault(bucket, {})[name] = f"r:{SERVICE}:{number}".encode()
            async with redis.pipeline(transaction=False) as pipe:
                pipe.hset(shard_key(shard, "records"), mapping=records)
                pipe.set(shard_key(shard, "profiles"), bytes(numbers))
                await pipe.execute()
            if first % 50_000 == 0:
                print(f"\r  {first:,} of {readers:,} subscriptions", end="", file=sys.stderr)
        async with redis.pipeline(transaction=False) as pipe:
            for number, (bucket, rows) in enumerate(entries.items()):
                pipe.hset(bucket, mapping=rows)
                if number % 1_000 == 999:
                    await pipe.execute()
            await pipe.execute()
        await redis.set(f"{{numbers:{SERVICE}}}:next", readers)
        memory = (await redis.info("memory"))["used_memory"]
        print(f"\r  {readers:,} subscriptions, {memory / readers:.0f} bytes each in the store", file=sys.stderr)


class Machine:
    """CPU seconds of each part, by its process and its children."""

    def __init__(self, supervisor: Supervisor, sink: int) -> None:
        self._supervisor = supervisor
        self._sink = sink

    def seconds(self) -> dict[str, float]:
        names = ["store", "cache", "api", "worker-priority", "worker-standard", "worker-maintenance", "beat"]
        pids = {name: self._supervisor.part(name).pid for name in names} | {"sink": self._sink}
        return {name: sum(map(_cpu, _family(pid))) for name, pid in pids.items()}

    def memory(self) -> dict[str, float]:
        """MB of each sending process."""
        found = {}
        for name in ("worker-priority", "worker-standard"):
            for place, pid in enumerate(_family(self._supervisor.part(name).pid)):
                status = Path(f"/proc/{pid}/status").read_text()
                resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
                found[f"{name}.{place}"] = int(resident.split()[1]) / 1024
        return found


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def send(
    settings: Settings, machine: Machine, readers: int, topic: str, headline: str, timeout: float
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Idempotency-Key": secrets.token_urlsafe(16)}
    body = {**ALERT, "headline": headline, "topics": [topic]}
    async with aiohttp.ClientSession(settings.origin) as session:
        before = machine.seconds()
        async with session.post("/v1/alerts", json=body, headers=headers) as response:
            assert response.status == 202, await response.text()
            alert = await response.json()
        async with asyncio.timeout(timeout):
            while alert.get("ended_at") is None:
                await asyncio.sleep(1 if readers > 20_000 else 0.1)
                async with session.get(f"/v1/alerts/{alert['id']}", headers=headers) as response:
                    alert = await response.json()
                progress = alert["progress"]
                print(f"\r  {progress['accepted']:,} of {progress['eligible']:,}   ", end="", file=sys.stderr)
        after = machine.seconds()
    print("\r", end="", file=sys.stderr)
    progress, created = alert["progress"], datetime.fromisoformat(alert["created_at"])
    accepted = progress["accepted"]
    assert accepted == progress["eligible"] > 0, progress
    took = (datetime.fromisoformat(alert["ended_at"]) - created).total_seconds()
    first = (datetime.fromisoformat(progress["first_at"]) - created).total_seconds()
    cpu = {name: after[name] - before[name] for name in before}
    return {
        "readers": readers,
        "accepted": accepted,
        "seconds": took,
        "first_seconds": first,
        "p50_seconds": progress["p50_seconds"],
        "p90_seconds": progress["p90_seconds"],
        "per_second": accepted / took,
        "cpu_seconds": cpu,
        "cpu_us_a_message": sum(cpu.values()) / accepted * 1e6,
        "memory_mb": machine.memory(),
    }


@asynccontextmanager
async def sink(folder: Path, authority: Authority) -> AsyncIterator[tuple[int, int]]:
    """Its port and process."""
    port = free_port()
    certificate, key = authority._issue((HOST,), expired=False)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, certificate=certificate, key=key, host=HOST))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    process = await asyncio.create_subprocess_exec(nginx, "-c", str(config), "-p", str(folder))
    try:
        await asyncio.sleep(0.5)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def measure(options: argparse.Namespace, readers: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sink").mkdir()
        authority = Authority(folder / "ca")
        async with sink(folder / "sink", authority) as (port, pid):
            settings, environment = settings_for_parts(
                data_dir=folder / "data", port=free_port(), alert_rate="off", link_check="off", admin_key=ADMIN_KEY,
                worker_processes=options.processes, window=options.window,
                push_connect_to=f"{HOST}:443:127.0.0.1:{port}", push_ca_file=authority.ca_file,
            )  # fmt: skip
            async with running(settings, lambda _: None, environment, folder) as supervisor:
                server = ApplicationServer.load(settings.vapid_file, settings.vapid_subject)
                await fill(settings, readers, server.key_id)
                machine = Machine(supervisor, pid)
                rows = []
                for number in range(options.rounds):
                    for topic in ("world", "sport"):
                        row = await send(settings, machine, readers, topic, f"{topic} {number}", options.timeout)
                        rows.append({"topic": topic, **row})
                        show(rows[-1])
                        await asyncio.sleep(1)
                if options.keep_logs:
                    for log in folder.glob("*.log"):
                        shutil.copy(log, options.keep_logs)
    return rows


def show(row: dict[str, Any]) -> None:
    cpu = {name: seconds / row["accepted"] * 1e6 for name, seconds in row["cpu_seconds"].items()}
    print(
        f"{row['readers']:>9,} readers, {row['accepted']:>9,} accepted of {row['topic']:<6} {row['seconds']:6.2f} s  "
        f"first {row['first_seconds'] * 1000:4.0f} ms  {row['per_second']:7,.0f}/s  "
        f"CPU {row['cpu_us_a_message']:6.1f} us a message: "
        + ", ".join(f"{name} {each:.1f}" for name, each in cpu.items() if each > 0.5)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="of each worker that sends")
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--keep-logs", metavar="DIR")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    found = [row for readers in arguments.readers for row in asyncio.run(measure(arguments, readers))]
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")
