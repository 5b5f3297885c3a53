"""Whether a server is set up for what it is to hold."""

import time

from tocsin.store.client import Server, answering

_NEEDED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


async def durability_fault(server: Server) -> str | None:
    """What would make the store lose what it acknowledged, and the commands that mend it; None where nothing would."""
    async with answering():
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
