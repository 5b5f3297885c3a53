"""What became of one recipient: the push services' answers as a table, and the ledger's bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tocsin.domain.decisions import Decision, Reason, Verdict


class Mark(StrEnum):
    """One byte of the ledger for one slot of a shard. The letters are stored: never give one another meaning."""

    NOBODY = "\0"  # no subscription had this number when the shard was planned
    OUTSIDE = "-"  # a reader who follows none of the alert's topics
    LEVEL = "l"  # a follower, skipped for the level
    PENDING = "p"
    RETRYING = "r"
    ACCEPTED = "a"
    GONE = "g"
    REJECTED = "x"
    EXPIRED = "e"
    STOPPED = "s"
    OPTED_OUT = "o"
    SET_ASIDE = "k"
    DEFERRED = "d"


# The parts of `progress` that add up to `eligible`, in the contract's order; `unaccounted` is found by the sum.
OUTCOMES: dict[str, Mark] = {
    "accepted": Mark.ACCEPTED,
    "gone": Mark.GONE,
    "rejected": Mark.REJECTED,
    "expired": Mark.EXPIRED,
    "stopped": Mark.STOPPED,
    "opted_out": Mark.OPTED_OUT,
    "set_aside": Mark.SET_ASIDE,
    "deferred": Mark.DEFERRED,
    "retrying": Mark.RETRYING,
    "pending": Mark.PENDING,
}
SKIPPED: dict[Reason, Mark] = {Reason.LEVEL: Mark.LEVEL}
UNFINISHED = (Mark.PENDING, Mark.RETRYING)


def planned(decision: Decision) -> Mark:
    """The byte that a fresh ledger gets for a reader."""
    if decision.verdict is Verdict.SEND:
        return Mark.PENDING
    return Mark.OUTSIDE if decision.reason is None else SKIPPED[decision.reason]


class Ledger:
    """One byte for each slot of a shard; all accounts are counted from it."""

    def __init__(self, marks: bytes) -> None:
        self._marks = bytearray(marks)

    def __bytes__(self) -> bytes:
        return bytes(self._marks)

    def __getitem__(self, slot: int) -> Mark:
        return Mark(chr(self._marks[slot]))

    def __setitem__(self, slot: int, mark: Mark) -> None:
        self._marks[slot] = ord(mark)

    def count(self, mark: Mark) -> int:
        return self._marks.count(ord(mark))

    def slots(self, mark: Mark) -> Iterator[int]:
        """The slots that bear this mark, in order."""
        sought = ord(mark)
        place = self._marks.find(sought)
        while place >= 0:
            yield place
            place = self._marks.find(sought, place + 1)

    @property
    def eligible(self) -> int:
        """All that were ever pending: fixed when the shard is planned and stored apart."""
        return sum(self.count(mark) for mark in OUTCOMES.values())


class Failure(StrEnum):
    """Why there is no answer at all."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    BROKEN = "broken"
    REFUSED_ADDRESS = "refused_address"


@dataclass(frozen=True)
class Answer:
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
