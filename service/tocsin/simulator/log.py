"""The log of every request, and the counts that stay exact when old lines go."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.simulator.services import PushServiceName

# About 270 bytes a line; the counts know all requests.
LINES_KEPT = 500_000


@dataclass(frozen=True, slots=True)
class Line:
    """One request. `status` is None where nothing was answered; `fault` is the kind that spoilt it; `sealed` are the
    body's first and last 16 bytes: the salt, and the tag that tells what was encrypted with it."""

    at: float
    push_service: PushServiceName
    browser: str | None
    status: int | None
    alert: str | None
    topic: str | None
    fault: str | None
    reason: str | None  # the refusal, or why the body could not be read
    sealed: bytes | None


class Log:
    """The latest lines and the counts by push service and status."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._statuses: dict[PushServiceName, Counter[int | None]] = {name: Counter() for name in PushServiceName}
        self.first_at: float | None = None
        self.last_at: float | None = None

    def add(self, line: Line) -> None:
        self._lines.append(line)
        self._statuses[line.push_service][line.status] += 1
        self.first_at = self.first_at or line.at
        self.last_at = line.at

    def statuses(self, push_service: PushServiceName) -> dict[str, int]:
        """Requests by the status answered; "none" counts those that got no answer."""
        counts = self._statuses[push_service]
        return {"none" if status is None else str(status): count for status, count in counts.items()}

    def newest(self) -> Iterator[Line]:
        return reversed(self._lines)

    def clear(self) -> None:
        self._lines.clear()
        self.first_at = self.last_at = None
        for counts in self._statuses.values():
            counts.clear()
