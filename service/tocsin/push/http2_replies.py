"""What a reply's header block says (RFC 7541, RFC 9113 §8.3.2).

We announce a dynamic table of 0 bytes, so that every block stands for itself: passing one over desynchronises nothing.
So the block of a 201 is known by its first field and not read any further, and whatever else comes is decoded by the
package hpack, with which a reference into the table that we do not keep is an error.
"""

import logging
from typing import NamedTuple

import hpack

from tocsin import clock
from tocsin.domain.deliveries import Answer, Failure
from tocsin.push.answers import parse_retry_after
from tocsin.push.http2_frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, MAX_BLOCK, MAX_CONTINUATIONS, Fault

# At DEBUG it writes down all that it decodes; a reply's Location belongs to one reader.
logging.getLogger("hpack").setLevel(logging.INFO)

# `:status: 201` as the first field: a literal with the name of static entry 8, in text or Huffman's code, not indexed,
# indexed or never indexed (RFC 7541 §6.2); the first of all may have a table size update to 0 (§6.3) before it.
CREATED_BLOCKS = tuple(
    update + first + value
    for update in (b"", b"\x20")
    for value in (b"\x03201", b"\x82\x10\x03")
    for first in (b"\x08", b"\x48", b"\x18")
)


class Block:
    """A header block of which more is to come (RFC 9113 §6.10)."""

    def __init__(self, stream: int, is_end: bool, first: bytes) -> None:
        self.stream = stream
        self.is_end = is_end
        self._fragments = [first]

    def add(self, fragment: bytes) -> None:
        """Raises Fault for one that would go on for ever."""
        self._fragments.append(fragment)
        if len(self._fragments) > MAX_CONTINUATIONS or sum(map(len, self._fragments)) > MAX_BLOCK:
            raise Fault(ENHANCE_YOUR_CALM)

    @property
    def whole(self) -> bytes:
        return b"".join(self._fragments)


class Head(NamedTuple):
    status: int
    retry_after: bytes | None


class Reply(NamedTuple):
    """What became of a request. `status` is 0 where it is not known; with `unprocessed` the peer has said that it did
    nothing about it, so that it may be sent again. `body` is what is kept of it, 4 KB at most."""

    status: int
    retry_after: bytes | None = None
    body: bytes = b""
    unprocessed: bool = False

    def answer(self, failure: Failure, seconds: float) -> Answer:
        """`failure` is for where no status is known."""
        if not self.status:
            return Answer(0, failure, seconds=seconds)
        retry_after = None
        if self.retry_after is not None:
            retry_after = parse_retry_after(self.retry_after.decode("latin-1"), clock.now())
        return Answer(self.status, None, retry_after, self.body.decode(errors="replace"), seconds)


CREATED = Reply(201)
BROKEN = Reply(0)
UNPROCESSED = Reply(0, unprocessed=True)


_CREATED_HEAD = Head(201, None)


def read_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Raises Fault(COMPRESSION_ERROR): the peer does not do what we do, and its next block may mean something else."""
    decoder = hpack.Decoder(max_header_list_size=2 * MAX_BLOCK)
    decoder.header_table_size = decoder.max_allowed_table_size = 0
    try:
        return [(field[0], field[1]) for field in decoder.decode(block, raw=True)]
    except hpack.HPACKError:
        raise Fault(COMPRESSION_ERROR) from None


def read_head(block: bytes) -> Head | None:
    """Of an answer's first block, or of one before it (1xx); None where it can be read, but is no reply's: its stream
    is at fault then, not the connection (RFC 9113 §8.1.1). Raises Fault."""
    if block.startswith(CREATED_BLOCKS):
        return _CREATED_HEAD
    fields = read_fields(block)
    if not fields or fields[0][0] != b":status" or any(name[:1] == b":" for name, _ in fields[1:]):
        return None
    status = fields[0][1]
    # 101 is not in HTTP/2 (RFC 9113 §8.6).
    if len(status) != 3 or not status.isdigit() or status < b"100" or status == b"101":
        return None
    return Head(int(status), next((value for name, value in fields if name == b"retry-after"), None))
