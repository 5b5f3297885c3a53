"""The headers of our requests as HPACK (RFC 7541), nearly all of them once for a connection.

What the messages of an alert share goes into the peer's dynamic table and is one byte each from then on. The path is an
endpoint's secret: it is sent as it is and *never indexed* (§6.2.3), which also holds for whoever passes it on, so that
nobody can find it out by how well guesses compress (§7.1). The authorization is indexed: nobody else puts headers on
our connections, and a whole signed token is not to be guessed.
"""

from functools import cache

# RFC 7541, Appendix A: `:method: POST`, `:scheme: https`.
_POST_HTTPS = b"\x83\x87"
# The static names that we use.
_NAMES = {
    b":authority": 1,
    b"authorization": 23,
    b"content-encoding": 26,
    b"content-length": 28,
    b"content-type": 31,
    b"user-agent": 58,
}
_STATIC = 61
_PATH, _NEVER_INDEXED = 4, 0x10
# What a peer allows before it says anything (RFC 9113 §6.5.2), and the most that we use.
TABLE_SIZE = 4_096
_OVERHEAD = 32  # RFC 7541 §4.1

Head = tuple[str, int, str, str | None]
"""What requests share: authorization, TTL, urgency, collapse key."""


def whole_number(value: int, bits: int, first: int = 0) -> bytes:
    """RFC 7541 §5.1; `first` are the bits before it."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    made, value = bytearray((first | most,)), value - most
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


@cache
def path_prefix(length: int) -> tuple[bytes, int]:
    """What stands before a path of so many bytes, and how long the two are together."""
    prefix = bytes((_NEVER_INDEXED | _PATH,)) + whole_number(length, 7)
    return prefix, len(prefix) + length


def _text(value: bytes) -> bytes:
    return whole_number(len(value), 7) + value


class Heads:
    """One for a connection: it follows the peer's table, so each block that it gives is sent, and in that order."""

    def __init__(self, authority: str) -> None:
        self._authority = authority.encode("ascii")
        self._table: list[tuple[bytes, bytes]] = []  # newest first
        self._size = 0
        self._most = TABLE_SIZE
        self._updates: list[int] = []
        self.changes = 0
        """Rises with whatever makes blocks that were given before worthless."""

    def resize(self, announced: int) -> None:
        """The peer's SETTINGS_HEADER_TABLE_SIZE: the next block says what we make of it (§4.2)."""
        most = min(announced, TABLE_SIZE)
        if most == self._most:
            return
        # Between two blocks only the least and the last matter.
        self._updates = [*(size for size in self._updates[:1] if size < most), most]
        self._most = most
        self._evict(0)
        self.changes += 1

    def parts(self, head: Head, size: int) -> tuple[bytes, bytes]:
        """The block before the path and after it, for a body of `size` bytes."""
        authorization, ttl, urgency, collapse_key = head
        updates = b"".join(whole_number(size, 5, 0x20) for size in self._updates)
        if self._updates:
            self._updates.clear()
            self.changes += 1
        before = updates + _POST_HTTPS + self._field(b":authority", self._authority)
        fields = [
            (b"content-encoding", b"aes128gcm"),
            (b"content-type", b"application/octet-stream"),
            (b"user-agent", b"Tocsin"),
            (b"urgency", urgency.encode("ascii")),
            (b"content-length", b"%d" % size),
            (b"ttl", b"%d" % ttl),
        ]
        if authorization:
            fields.append((b"authorization", authorization.encode("ascii")))
        if collapse_key is not None:
            fields.append((b"topic", collapse_key.encode("ascii")))
        return before, b"".join([self._field(name, value) for name, value in fields])

    def _field(self, name: bytes, value: bytes) -> bytes:
        entry = (name, value)
        if entry in self._table:
            return whole_number(_STATIC + 1 + self._table.index(entry), 7, 0x80)
        size = len(name) + len(value) + _OVERHEAD
        fits = size <= self._most
        named = _NAMES.get(name, 0)
        # §6.2.1 and §6.2.2: with the table, or without it.
        first = whole_number(named, 6, 0x40) if fits else whole_number(named, 4)
        if fits:
            self._evict(size)
            self._table.insert(0, entry)
            self._size += size
            self.changes += 1
        return first + (b"" if named else _text(name)) + _text(value)

    def _evict(self, room: int) -> None:
        """§4.4: the oldest go until so many bytes fit."""
        while self._table and self._size + room > self._most:
            name, value = self._table.pop()
            self._size -= len(name) + len(value) + _OVERHEAD
