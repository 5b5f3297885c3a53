"""Faults on command: what can be set, and which of them hits a request."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

HASH_RANGE = 2**64
# So that a body fits into one HTTP/2 frame of 16,384 bytes; "endless" is for larger ones.
MAX_BODY_CHARACTERS = 4_096


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _RequestFault(_Fault):
    """Which requests are hit, counted from the moment at which the fault was set."""

    share: float = Field(default=1.0, gt=0, le=1, description="Share of the browsers that are hit, always the same.")
    seed: int = Field(default=0, description="Another seed hits other browsers.")
    skip: int = Field(default=0, ge=0, description="So many requests pass first.")
    count: int | None = Field(default=None, ge=1, description="So many are hit then; all, if not given.")


class _SpoilingFault(_RequestFault):
    """A fault that takes the place of the honest answer."""

    delivered: bool = Field(default=False, description="The message reaches the browser in spite of the answer.")


class _RetryAfter(_SpoilingFault):
    """An answer that may carry `Retry-After` (RFC 9110 §10.2.3), as seconds or as an HTTP date."""

    retry_after: int | None = Field(default=None, description="Seconds from the answer on.")
    retry_after_as: Literal["seconds", "http_date"] = "seconds"

    def retry_after_header(self) -> tuple[tuple[str, str], ...]:
        if self.retry_after is None:
            return ()
        if self.retry_after_as == "seconds":
            return (("retry-after", str(self.retry_after)),)
        return (("retry-after", formatdate(time.time() + self.retry_after, usegmt=True)),)


class StatusFault(_RetryAfter):
    kind: Literal["status"] = "status"
    status: int = Field(ge=200, le=599)
    headers: dict[str, str] = {}
    body: str = Field(default="", max_length=MAX_BODY_CHARACTERS)


class ThrottleFault(_RetryAfter):
    """Refuse what exceeds a rate, each service in its own way (429; 406 at WNS)."""

    kind: Literal["throttle"] = "throttle"
    per_second: float = Field(gt=0)
    burst: int = Field(default=1, ge=1, description="Requests at once after a pause.")


class DelayFault(_RequestFault):
    """Answer later; faults after this one in the list apply as well."""

    kind: Literal["delay"] = "delay"
    milliseconds: int = Field(ge=0, le=600_000)


class HangFault(_SpoilingFault):
    kind: Literal["hang"] = "hang"


class DribbleFault(_SpoilingFault):
    kind: Literal["dribble"] = "dribble"
    status: int = Field(default=200, ge=200, le=599)
    body: str = Field(default="slowly " * 20, min_length=1, max_length=MAX_BODY_CHARACTERS)
    every_milliseconds: int = Field(default=100, ge=1, le=60_000)


class EndlessFault(_SpoilingFault):
    kind: Literal["endless"] = "endless"
    status: int = Field(default=200, ge=200, le=599)


class ResetFault(_SpoilingFault):
    """TCP RST; in mid-request nothing can be delivered."""

    kind: Literal["reset"] = "reset"
    when: Literal["mid_request", "after_request"] = "after_request"


class RedirectFault(_SpoilingFault):
    kind: Literal["redirect"] = "redirect"
    status: Literal[301, 302, 303, 307, 308] = 307
    location: str


class RefuseFault(_Fault):
    """Connections are refused; those that are open are dropped."""

    kind: Literal["refuse"] = "refuse"


class CertificateFault(_Fault):
    """New connections meet a wrong certificate; those that are open are dropped."""

    kind: Literal["certificate"] = "certificate"
    certificate: Literal["wrong_name", "expired"]


SpoilingFault = StatusFault | ThrottleFault | HangFault | DribbleFault | EndlessFault | ResetFault | RedirectFault
RequestFault = SpoilingFault | DelayFault
ConnectionFault = RefuseFault | CertificateFault
Fault = Annotated[RequestFault | ConnectionFault, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to one request; `delay` in seconds."""

    fault: SpoilingFault | None = None
    delay: float = 0.0


UNDISTURBED = Disturbance()


class _Active:
    """A fault at work: how many requests it has seen, and how full its bucket is."""

    def __init__(self, fault: RequestFault) -> None:
        self.fault = fault
        self._seen = 0
        self._tokens = float(fault.burst) if isinstance(fault, ThrottleFault) else 0.0
        self._filled_at: float | None = None

    def hits(self, browser: str, now: float) -> bool:
        fault = self.fault
        if fault.share < 1 and _place(fault.seed, browser) >= fault.share:
            return False
        self._seen += 1
        if self._seen <= fault.skip:
            return False
        if fault.count is not None and self._seen > fault.skip + fault.count:
            return False
        return not (isinstance(fault, ThrottleFault) and self._admits(fault, now))

    def _admits(self, fault: ThrottleFault, now: float) -> bool:
        """A token bucket of `burst` that fills with `per_second`."""
        elapsed = now - self._filled_at if self._filled_at is not None else 0.0
        self._filled_at = now
        self._tokens = min(float(fault.burst), self._tokens + elapsed * fault.per_second)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Faults:
    """The faults set, by target: the id of a browser, or the name of a push service."""

    def __init__(self) -> None:
        self._set: dict[str, tuple[RequestFault | ConnectionFault, ...]] = {}
        self._active: dict[str, tuple[_Active, ...]] = {}

    def put(self, target: str, faults: Iterable[RequestFault | ConnectionFault]) -> None:
        self._set[target] = tuple(faults)
        self._active[target] = tuple(
            _Active(fault) for fault in self._set[target] if not isinstance(fault, ConnectionFault)
        )

    def clear(self, target: str) -> None:
        self._set.pop(target, None)
        self._active.pop(target, None)

    def all(self) -> dict[str, tuple[RequestFault | ConnectionFault, ...]]:
        return dict(self._set)

    def connection_fault(self, push_service: str) -> ConnectionFault | None:
        return next((fault for fault in self._set.get(push_service, ()) if isinstance(fault, ConnectionFault)), None)

    def choose(self, browser: str, push_service: str, now: float) -> Disturbance:
        """The first fault that hits, the browser's own before the push service's; delays add up. `now` in seconds."""
        if not self._active:
            return UNDISTURBED
        delay = 0.0
        for active in (*self._active.get(browser, ()), *self._active.get(push_service, ())):
            if not active.hits(browser, now):
                continue
            if not isinstance(active.fault, DelayFault):
                return Disturbance(active.fault, delay)
            delay += active.fault.milliseconds / 1000
        return Disturbance(None, delay)


def _place(seed: int, browser: str) -> float:
    """Where a browser stands between 0 and 1: the same for each run, spread evenly."""
    digest = hashlib.blake2b(f"{seed}:{browser}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / HASH_RANGE
