"""Start and end of the simulator as a process's main task."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from simulator_sender import Sender
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.server import Simulator, run_simulator
from tocsin.simulator.services import HOSTS, PushServiceName


async def appears(file: Path) -> None:
    async with asyncio.timeout(20):
        while not file.exists():
            await asyncio.sleep(0.005)


async def test_run_until_sigterm(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    running = asyncio.create_task(run_simulator(tmp_path / "ca", ready_file=ready_file))
    await appears(ready_file)
    ready = json.loads(ready_file.read_text())
    assert list(ready) == ["control_url", "autopush_url", "chromium_switches", "ca_file", "connect_to"]
    async with SimulatorClient(ready["control_url"]) as client:
        sender = Sender(Path(ready["ca_file"]), ready["connect_to"])
        [browser] = await client.create_browsers(1, "fcm", sender.key)
        assert (await sender.push(browser)).status == 201
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await running
    assert not ready_file.exists()


async def test_run_until_cancelled(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    running = asyncio.create_task(run_simulator(tmp_path / "ca", ready_file=ready_file))
    await appears(ready_file)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not ready_file.exists()


async def test_every_name_leads_to_loopback(simulator: Simulator) -> None:
    targets = simulator.connect_to.split(",")
    assert [target.split(":")[0] for target in targets] == [name for names in HOSTS.values() for name in names]
    assert all(target.split(":")[1:3] == ["443", "127.0.0.1"] for target in targets)


async def test_ports_that_are_asked_for(tmp_path: Path) -> None:
    async with Simulator(tmp_path / "a") as first:
        port = first.connect_to.split(",")[0].rpartition(":")[2]
        control = first.control_url.rpartition(":")[2]
    async with Simulator(
        tmp_path / "a", control_port=int(control), push_ports={PushServiceName.FCM: int(port)}
    ) as again:
        assert again.control_url == f"http://127.0.0.1:{control}"
        assert again.connect_to.split(",")[0].endswith(f":{port}")


async def test_port_of_another_simulator_is_refused(tmp_path: Path, simulator: Simulator) -> None:
    port = int(simulator.connect_to.split(",")[0].rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        await Simulator(tmp_path, push_ports={PushServiceName.FCM: port}).start()
