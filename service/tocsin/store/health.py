"""Whether a server is set up for what it is to hold."""

import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import ResponseError

from tocsin.store.client import Server, answering

_NEEDED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
# Where the broker is in the same server, wake-ups need room, too.
_MOST_FULL = 0.8


async def durability_fault(server: Server) -> str | None:
    """What would make the store lose what it acknowledged, and what mends it; None where nothing would."""
    async with answering():
        if int((await server.redis.info("cluster")).get("cluster_enabled", 0)):
            return (
                "is a node of a cluster, which Tocsin does not work with: give it one server, with replicas if you like"
            )
        kept = await server.redis.config_get(*_NEEDED)
    kept = {_text(key): _text(value) for key, value in kept.items()}
    wrong = {name: value for name, value in _NEEDED.items() if kept.get(name) != value}
    if not wrong:
        return None
    commands = "; ".join(f"CONFIG SET {name} {value}" for name, value in wrong.items())
    return f"would lose alerts when it is killed: {commands} (and the same in its configuration file)"


def _text(value: str | bytes) -> str:
    # The client decodes this one answer, in some versions and not in others.
    return value.decode() if isinstance(value, bytes) else value


async def clock_skew(server: Server) -> float:
    """Seconds between its clock and ours."""
    async with answering():
        seconds, microseconds = await server.redis.time()
    return abs(time.time() - float(seconds) - float(microseconds) / 1_000_000)


async def keeping_fault(server: Server) -> str | None:
    """What could bring back something that was deleted in this server, and what mends it; None where nothing could."""
    async with answering():
        info = await server.redis.info()
        try:
            save = {_text(key): _text(value) for key, value in (await server.redis.config_get("save")).items()}
        except ResponseError:  # one that is managed by others may not tell; its next life is another in any case
            save = {}
    commands = [command for command, wrong in _keeps(info, save).items() if wrong]
    if not commands:
        return None
    return f"could bring back used prekeys, so none are made: {'; '.join(commands)}"


def _keeps(info: Mapping[str, Any], save: Mapping[str, str]) -> dict[str, bool]:
    """What would mend it, and whether it is needed."""
    return {
        "CONFIG SET appendonly no": bool(int(info.get("aof_enabled", 0))),
        'CONFIG SET save ""': bool(save.get("save")),
        "use one that is no replica": info.get("role") != "master",
        "use one without replicas": int(info.get("connected_slaves", 0)) > 0,
        "give it more memory (maxmemory)": 0 < int(info.get("maxmemory", 0)) * _MOST_FULL < int(info["used_memory"]),
    }
