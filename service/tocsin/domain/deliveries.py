"""What became of one recipient: the push services' answers as a table, and the ledger's bytes."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import compress
from typing import NamedTuple

from tocsin.domain.decisions import Decision, Reason, Verdict
from tocsin.domain.subscriptions import SHARD_SIZE


class Mark(StrEnum):
    """One byte of the ledger for one slot of a shard. The letters are stored: never give one another meaning."""

    NOBODY = "\0"  # no subscription had this number when the shard was planned
    OUTSIDE = "-"  # a reader who follows none of the alert's topics, nor its story
    # A follower, skipped when the shard was planned.
    LANGUAGE = "n"
    MUTED_STORY = "m"
    SNOOZED = "z"
    LEVEL = "l"
    QUIET_HOURS = "q"
    DAILY_CAP = "c"
    # All others are eligible.
    PENDING = "p"
    RETRYING = "r"
    ACCEPTED = "a"
    GONE = "g"
    REJECTED = "x"
    NO_KEY = "v"  # not sent: the key that it subscribed with is not here, and with another it would be refused
    EXPIRED = "e"
    STOPPED = "s"
    CORRECTED = "w"  # stopped for this reader, who gets the correction instead
    OPTED_OUT = "o"
    SET_ASIDE = "k"
    DEFERRED = "d"
    # Opted out in another way: what was planned stood against the preferences when the turn came.
    TURNED_LANGUAGE = "N"
    TURNED_MUTED_STORY = "M"
    TURNED_SNOOZED = "Z"
    TURNED_LEVEL = "L"
    TURNED_QUIET_HOURS = "Q"
    TURNED_DAILY_CAP = "C"


SKIPPED: dict[Reason, Mark] = {
    Reason.LANGUAGE: Mark.LANGUAGE,
    Reason.MUTED_STORY: Mark.MUTED_STORY,
    Reason.SNOOZED: Mark.SNOOZED,
    Reason.LEVEL: Mark.LEVEL,
    Reason.QUIET_HOURS: Mark.QUIET_HOURS,
    Reason.DAILY_CAP: Mark.DAILY_CAP,
}
TURNED: dict[Reason, Mark] = {
    Reason.LANGUAGE: Mark.TURNED_LANGUAGE,
    Reason.MUTED_STORY: Mark.TURNED_MUTED_STORY,
    Reason.SNOOZED: Mark.TURNED_SNOOZED,
    Reason.LEVEL: Mark.TURNED_LEVEL,
    Reason.QUIET_HOURS: Mark.TURNED_QUIET_HOURS,
    Reason.DAILY_CAP: Mark.TURNED_DAILY_CAP,
}
# The parts of `progress` that add up to `eligible`, in the contract's order; `unaccounted` is found by the sum.
OUTCOMES: dict[str, tuple[Mark, ...]] = {
    "accepted": (Mark.ACCEPTED,),
    "gone": (Mark.GONE,),
    "rejected": (Mark.REJECTED, Mark.NO_KEY),
    "expired": (Mark.EXPIRED,),
    "stopped": (Mark.STOPPED, Mark.CORRECTED),
    "opted_out": (Mark.OPTED_OUT, *TURNED.values()),
    "set_aside": (Mark.SET_ASIDE,),
    "deferred": (Mark.DEFERRED,),
    "retrying": (Mark.RETRYING,),
    "pending": (Mark.PENDING,),
}
UNFINISHED = (Mark.PENDING, Mark.RETRYING)
# Whoever did not get the alert in the end does not have it counted under a cap.
GIVEN_BACK = frozenset(
    mark for name in ("gone", "rejected", "expired", "stopped", "opted_out", "set_aside") for mark in OUTCOMES[name]
)


def planned(decision: Decision) -> Mark:
    """The byte that a fresh ledger gets for a reader."""
    return _mark(decision, SKIPPED, Mark.OUTSIDE)


def turned(decision: Decision) -> Mark:
    """The byte for a reader who was eligible and whose turn has come: PENDING where the alert may go."""
    return _mark(decision, TURNED, Mark.OPTED_OUT)


def _mark(decision: Decision, skipped: Mapping[Reason, Mark], outside: Mark) -> Mark:
    if decision.verdict is Verdict.SEND:
        return Mark.PENDING
    if decision.verdict is Verdict.DEFER:
        return Mark.DEFERRED
    return outside if decision.reason is None else skipped[decision.reason]


def told(mark: Mark) -> tuple[str, str | None]:
    """What a byte says to its reader: the outcome, and the reason where there is one."""
    for reason in Reason:
        if mark is SKIPPED[reason]:
            return "skipped", reason
        if mark is TURNED[reason]:
            return "opted_out", reason
    special = {
        Mark.NOBODY: ("skipped", "subscribed_later"),
        Mark.OUTSIDE: ("skipped", "not_followed"),
        Mark.DEFERRED: ("deferred", str(Reason.QUIET_HOURS)),
        Mark.CORRECTED: ("stopped", "corrected"),
        Mark.NO_KEY: ("rejected", "key_missing"),
    }
    return special.get(mark) or (next(name for name, marks in OUTCOMES.items() if mark in marks), None)


class Ledger:
    """One byte for each slot of a shard; all accounts are counted from it."""

    def __init__(self, marks: bytes | bytearray) -> None:
        self._marks = bytearray(marks)

    @classmethod
    def read(cls, row: bytes) -> "Ledger":
        """As it is kept: packed, or the marks themselves."""
        return cls(zlib.decompress(row[1:], -zlib.MAX_WBITS) if is_packed(row) else row)

    def packed(self) -> bytes:
        """All of it in fewer bytes. Where marks lie as by chance, matches cost more than they save."""
        deflated = (_deflated(self._marks, strategy) for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY))
        return _PACKED + min(deflated, key=len)

    def __bytes__(self) -> bytes:
        return bytes(self._marks)

    def __len__(self) -> int:
        return len(self._marks)

    def __getitem__(self, slot: int) -> Mark:
        return Mark(chr(self._marks[slot]))

    def __setitem__(self, slot: int, mark: Mark) -> None:
        self._marks[slot] = ord(mark)

    def count(self, mark: Mark) -> int:
        return self._marks.count(ord(mark))

    def copy(self) -> "Ledger":
        return Ledger(self._marks)

    def slots(self, mark: Mark) -> Iterator[int]:
        """The slots that bear this mark now, in order."""
        return slots_of(self._marks, ord(mark))

    @property
    def eligible(self) -> int:
        """All that were ever to be sent to or deferred: fixed when the shard is planned and stored apart."""
        return len(self._marks) - len(self._marks.translate(None, _ELIGIBLE))

    def total(self, outcome: str) -> int:
        """How many slots have this outcome; the names are those of `progress`."""
        return sum(self.count(mark) for mark in OUTCOMES[outcome])


# To leave these out takes one look at the marks; to count each of them takes two dozen.
_ELIGIBLE = "".join(mark for marks in OUTCOMES.values() for mark in marks).encode("latin-1")

# The first byte of a packed ledger; no mark has it. The scripts know it, too.
_PACKED = b"\x01"


def is_packed(row: bytes) -> bool:
    """Whether this is a ledger that nobody changes any more."""
    return row.startswith(_PACKED)


def _deflated(marks: bytes | bytearray, strategy: int) -> bytes:
    """Raw DEFLATE (RFC 1951)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    return deflate.compress(marks) + deflate.flush()


def slots_of(marks: bytes | bytearray, sought: int) -> Iterator[int]:
    """Where this byte stands in a shard's marks, in order."""
    return compress(_SLOTS, marks.translate(_only(sought)))


@cache
def _only(sought: int) -> bytes:
    """For `translate`: 1 where there is this byte, else 0."""
    return bytes(byte == sought for byte in range(256))


# Made once: to count up to a thousand takes longer than to look at as many bytes.
_SLOTS = tuple(range(SHARD_SIZE))


class Failure(StrEnum):
    """Why there is no answer at all."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    BROKEN = "broken"
    REFUSED_ADDRESS = "refused_address"


class Answer(NamedTuple):
    """A push service's answer, or the failure to get one.

    `status` is 0 where there was none; `retry_after` is in seconds, already clamped; `detail` is what is kept of the
    body (4 KB at most), for the table's sake and never shown whole; `seconds` is how long it took.
    """

    status: int
    failure: Failure | None = None
    retry_after: float | None = None
    detail: str = ""
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """`201`, `timeout`, …: for metrics."""
        return str(self.failure) if self.failure else str(self.status)


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    GONE = "gone"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    FAILED = "failed"


@dataclass(frozen=True)
class Rule:
    """What an answer means: the outcome, and whether the same recipient is tried again."""

    outcome: Outcome
    retry: bool = False


_ACCEPTED = Rule(Outcome.ACCEPTED)
_GONE = Rule(Outcome.GONE)
_REJECTED = Rule(Outcome.REJECTED)
_THROTTLED = Rule(Outcome.THROTTLED, retry=True)
_FAILED = Rule(Outcome.FAILED, retry=True)

# Only 404 and 410 end a subscription; 401 and 403 are our VAPID key's fault or an old key's, never the reader's.
_RULES = {
    200: _ACCEPTED,
    201: _ACCEPTED,
    202: _ACCEPTED,
    404: _GONE,
    406: _THROTTLED,
    408: _FAILED,
    410: _GONE,
    425: _FAILED,
    429: _THROTTLED,
}

MARK_OF = {Outcome.ACCEPTED: Mark.ACCEPTED, Outcome.GONE: Mark.GONE, Outcome.REJECTED: Mark.REJECTED}


def classify(answer: Answer) -> Rule:
    """The table of answers. A redirect is never followed: it counts as an outage, as do 5xx and no answer at all.

    Any other 2xx is success too (RFC 9110 §15.3): retried, it would be on the reader's screen again and again.
    """
    if answer.failure is Failure.REFUSED_ADDRESS:
        return _REJECTED
    if answer.failure is not None:
        return _FAILED
    if rule := _RULES.get(answer.status):
        return rule
    if 200 <= answer.status < 300:
        return _ACCEPTED
    return _REJECTED if 400 <= answer.status < 500 else _FAILED
