"""A push request as it came over the wire, and the answer that goes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Head:
    """What is known before the body: header names are lower case, `path` includes the query."""

    method: str
    authority: str
    path: str
    headers: Mapping[str, str]

    @property
    def origin(self) -> str:
        """The origin as RFC 6454 writes it, for `aud` of RFC 8292."""
        return f"https://{self.authority.removesuffix(':443')}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Manner(Enum):
    """How an answer goes out; all but WHOLE are faults."""

    WHOLE = auto()
    DRIBBLE = auto()  # byte by byte
    ENDLESS = auto()  # the body never ends
    HANG = auto()  # nothing is ever sent
    RESET = auto()  # TCP RST in place of an answer


@dataclass(frozen=True, slots=True)
class Reply:
    """What a push service does with a request that it has read; times in seconds."""

    answer: Answer
    manner: Manner = Manner.WHOLE
    delay: float = 0.0
    every: float = 0.0  # between the bytes of a dribble
