"""What goes to a push service, and whoever takes it there."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tocsin.domain.deliveries import Answer

OnAnswer = Callable[[int, Answer], None]


class Envelope(NamedTuple):
    """One push message, ready to go (RFC 8030 §5).

    `url` is the endpoint: never to be logged. `authorization` comes from `ApplicationServer`, `body` is the encrypted
    record, `ttl` is in seconds, `collapse_key` is the header Topic.
    """

    url: str
    authorization: str
    body: bytes
    ttl: int
    urgency: str
    collapse_key: str | None = None


class Sender(Protocol):
    """Takes envelopes to push services. Several `send` may run at once in one loop, such as one for each service."""

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        """The answers, in the order of the envelopes; `on_answer(number, answer)` is called as each arrives.

        No answer is raised: a failure is an answer too. When cancelled, requests under way are given up.
        """
        ...

    async def close(self) -> None:
        """Gives up what is under way and closes all connections."""
        ...
