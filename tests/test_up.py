"""`tocsin up` and `tocsin demo` as a person starts them: real commands, real signals, nothing left behind."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from town import WAIT_SECONDS, free_port

# Whatever a command started can be found by it, however it was reparented.
MARK = "STARTED_BY_TEST"


@asynccontextmanager
async def started(mark: Path, *words: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tocsin.cli.main",
        *words,
        env={**os.environ, **settings, MARK: str(mark)},
        cwd=mark,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        for pid in left_by(mark):
            os.kill(pid, signal.SIGKILL)
        await process.wait()


async def output_until(process: asyncio.subprocess.Process, pattern: str) -> str:
    """What it printed up to a line that matches; all of it where none does."""
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(WAIT_SECONDS):
        while line := (await process.stdout.readline()).decode():
            text += line
            if re.search(pattern, line):
                break
    return text


def left_by(mark: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"{MARK}={mark}".encode() in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def parts_of(process: asyncio.subprocess.Process) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


async def test_up_tells_where_it_is_restarts_what_dies_and_ends_everything(tmp_path: Path) -> None:
    port = free_port()
    async with started(tmp_path, "up", "--port", str(port), "--data-dir", str(tmp_path / "data")) as process:
        told = await output_until(process, "Admin's key")
        key = re.findall(r"tk_\S+", told)[0]
        assert f"http://localhost:{port}/console" in told
        assert (await _queues(port, key)) == 200

        before = parts_of(process)
        assert len(before) == 7
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await _until_ready(port)
        assert (await _queues(port, key)) == 200
        assert not set(before) & set(parts_of(process))

        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(WAIT_SECONDS):
            assert await process.wait() == 0
        assert left_by(tmp_path) == []


async def test_up_leaves_nothing_behind_when_it_is_killed(tmp_path: Path) -> None:
    port = free_port()
    async with started(tmp_path, "up", "--port", str(port), "--data-dir", str(tmp_path / "data")) as process:
        await output_until(process, "Admin's key")
        process.kill()
        async with asyncio.timeout(WAIT_SECONDS):
            while left_by(tmp_path):
                await asyncio.sleep(0.05)


async def test_up_says_what_is_in_its_way(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with started(tmp_path, "up", "--port", port, "--data-dir", str(tmp_path / "data")) as process:
            told = await output_until(process, "port")
            assert await process.wait() == 1
    assert f"port {port}" in told
    assert "--port" in told
    assert "Traceback" not in told


async def test_two_cannot_work_on_one_folder(tmp_path: Path) -> None:
    words = ("--data-dir", str(tmp_path / "data"))
    async with started(tmp_path, "up", "--port", str(free_port()), *words) as first:
        await output_until(first, "Admin's key")
        async with started(tmp_path / "data", "up", "--port", str(free_port()), *words) as second:
            assert "another `tocsin up`" in await output_until(second, "another")
            assert await second.wait() == 1
        first.send_signal(signal.SIGTERM)
        assert await first.wait() == 0


async def test_demo_once_sends_an_alert_and_ends_by_itself(tmp_path: Path) -> None:
    words = ("demo", "--once", "--browsers", "150", "--port", str(free_port()))
    # A real Tocsin's settings, which would send its readers' alerts to simulated push services.
    real = {"TOCSIN_STORE_URL": "redis://127.0.0.1:1/0", "TOCSIN_PUBLIC_URL": "https://alerts.example.com"}
    (tmp_path / "tocsin.toml").write_text('base_path = "/alerts"\n')
    async with started(tmp_path, *words, **real) as process:
        told = await output_until(process, "Browsers say")
        assert await process.wait() == 0
        assert left_by(tmp_path) == []
    assert "TOCSIN_PUBLIC_URL" in told  # is ignored, and that is said
    assert re.search(r"Unaccounted +0\b", told)
    followers, skipped, eligible = (
        int(re.findall(rf"{label}\D+(\d+)", told)[0]) for label in ("Followers", "Skipped", "Eligible")
    )
    assert 0 < followers == skipped + eligible
    assert re.search(rf"Browsers say +{eligible} got it once, as they wanted; 0 got", told)


async def test_the_demo_lets_a_site_and_real_browsers_in(tmp_path: Path) -> None:
    port, site = free_port(), "http://localhost:8480"
    words = ("demo", "--browsers", "20", "--port", str(port), "--allow-origin", site, "--allow-origin", "http://b.test")
    async with started(tmp_path, *words) as process:
        told = await output_until(process, "Ctrl-C")
        assert re.search(r"Chromium .*SWITCHES='--gcm-\S+ --gcm-\S+ --gcm-\S+'\n", told)
        (authority,) = re.findall(r"(/\S+/ca\.pem)", told)
        assert Path(authority).exists()
        for origin in (site, "http://b.test"):
            assert await _allowed(port, origin) == origin
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_the_demo_names_the_option_that_holds_no_origin(tmp_path: Path) -> None:
    async with started(tmp_path, "demo", "--allow-origin", "localhost:8480") as process:
        assert "--allow-origin: 'localhost:8480' must" in await output_until(process, "must")
        assert await process.wait() == 2


async def _allowed(port: int, origin: str) -> str | None:
    url = f"http://127.0.0.1:{port}/v1/site"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Origin": origin}) as response:
        return response.headers.get("Access-Control-Allow-Origin")


async def _queues(port: int, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{port}/v1/ops/queues"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status


async def _until_ready(port: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # not listening yet
            await asyncio.sleep(0.05)


async def test_a_worker_without_the_key_says_so_and_ends(tmp_path: Path) -> None:
    """One of its own making would be refused by every reader's push service."""
    async with started(tmp_path, "worker", "--queues", "priority", TOCSIN_DATA_DIR=str(tmp_path / "data")) as process:
        told = await output_until(process, "missing")
        assert await process.wait() == 1
    assert "TOCSIN_VAPID_PRIVATE_KEY_FILE" in told
    assert not (tmp_path / "data" / "vapid.pem").exists()


async def test_up_does_not_start_with_another_key_than_the_readers(tmp_path: Path) -> None:
    words = ("--data-dir", str(tmp_path / "data"))
    async with started(tmp_path, "up", "--port", str(free_port()), *words) as process:
        await output_until(process, "Admin's key")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    key = tmp_path / "data" / "vapid.pem"
    key.rename(tmp_path / "mislaid.pem")

    async with started(tmp_path, "up", "--port", str(free_port()), *words) as process:
        told = await output_until(process, "adopt")
        assert await process.wait() == 1
    assert "is not the key that readers subscribed with" in told

    (tmp_path / "mislaid.pem").replace(key)
    async with started(tmp_path, "up", "--port", str(free_port()), *words) as process:
        assert "/console" in await output_until(process, "API")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
