"""From an endpoint's digest to its number. A pending entry reserves the number, a ready one has its record."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.domain.subscriptions import Address
from tocsin.store.client import Argument, Server, answering

# Small hashes are packed tight by the server: at a million subscriptions about 61 entries in each of 16,384.
_BUCKET_BITS = 14
NONE = b""


@dataclass(frozen=True)
class Entry:
    """`raw` is the stored text, for compare-and-set; `address` is None where there is no entry."""

    raw: bytes
    address: Address | None = None
    ready: bool = False


class Index:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def get(self, digest: bytes) -> Entry:
        bucket, field = _place(digest)
        async with answering():
            return _entry(await self._server.redis.hget(bucket, field) or NONE)

    async def swap(self, digest: bytes, seen: bytes, wanted: bytes, before: Sequence[Argument] = ()) -> Entry:
        """Sets the entry where it still is `seen`; gives what stands there afterwards. `before` is a command that is
        done first, on the same way."""
        bucket, field = _place(digest)
        if before:
            return _entry(await self._server.run_after(before, "swap_index", [bucket], field, seen, wanted))
        return _entry(await self._server.run("swap_index", [bucket], field, seen, wanted))


def pending(address: Address) -> bytes:
    return f"p:{address.push_service}:{address.number}".encode()


def ready(address: Address) -> bytes:
    return f"r:{address.push_service}:{address.number}".encode()


def _entry(raw: bytes | str) -> Entry:
    raw = raw.encode() if isinstance(raw, str) else raw
    if not raw:
        return Entry(NONE)
    state, _, rest = raw.decode().partition(":")
    push_service, _, number = rest.rpartition(":")
    return Entry(raw, Address(push_service, int(number)), state == "r")


def _place(digest: bytes) -> tuple[str, bytes]:
    bucket = int.from_bytes(digest[:2]) >> (16 - _BUCKET_BITS)
    return f"index:{{{bucket:04x}}}", digest
