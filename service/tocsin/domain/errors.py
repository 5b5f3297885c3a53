"""The one error tree. Each class says what went wrong for a caller; the API maps classes to statuses in one table."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field: its path (`keys.auth`, `topics[2]`) and a sentence that a person can act on."""

    field: str
    message: str


class TocsinError(Exception):
    """Any refusal or failure that Tocsin explains. `code` is stable and may be relied on by programs."""

    code = "failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unauthorized(TocsinError):
    """No key, or one that we do not know."""

    code = "unauthorized"


class Forbidden(TocsinError):
    """A key that we know, without the role for this."""

    code = "forbidden"


class NotFound(TocsinError):
    """Nothing here by that name, or not for this caller: the two are told alike."""

    code = "not_found"


class Malformed(TocsinError):
    """A body that is no JSON, is nested over 8 deep, or names a key twice."""

    code = "malformed"


class TooLarge(TocsinError):
    """A body over its limit in bytes."""

    code = "too_large"


class UnsupportedMedia(TocsinError):
    """A body that is not sent as JSON."""

    code = "unsupported_media_type"


class Invalid(TocsinError):
    """Content that breaks a rule. `faults` names each field."""

    code = "invalid"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in self.faults))

    @classmethod
    def at(cls, field: str, message: str) -> "Invalid":
        return cls([Fault(field, message)])


class Conflict(TocsinError):
    """What is asked does not fit the state of the thing."""

    code = "conflict"


class Changed(Conflict):
    """Another call changed the thing meanwhile: the same call may be repeated."""


class Ended(TocsinError):
    """A browser that was erased on request: it is not taken in again by itself."""

    code = "ended"


class Stale(TocsinError):
    """`If-Match` names a version that is no longer the present one (RFC 9110 §13.1.1)."""

    code = "precondition_failed"


class VersionNeeded(TocsinError):
    """A change that has to say which version it is made to (RFC 6585 §3)."""

    code = "precondition_required"


class TooMany(TocsinError):
    """Over a rate. `retry_after` is in whole seconds."""

    code = "too_many_requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(TocsinError):
    """The store does not answer: the outcome is unknown and the call may be repeated."""

    code = "unavailable"


class Overloaded(Unavailable):
    """Too busy for what can be spared; nothing was done."""

    code = "overloaded"


class Misconfigured(TocsinError):
    """A setting, key file or server with which Tocsin cannot run; the detail says what to do."""

    code = "misconfigured"


class UnknownRecord(TocsinError):
    """A stored record of a form newer than this program: refused, never dropped."""

    code = "unknown_record"
