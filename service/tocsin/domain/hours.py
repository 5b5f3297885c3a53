"""A reader's own clock: quiet hours and the day of a cap, right on the two days of the year when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tocsin.domain.levels import Level

_EPOCH = date(1970, 1, 1)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known(name: str) -> str:
    if name not in _zones():
        raise ValueError("is not an IANA time zone, such as Europe/London")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/London"]), AfterValidator(_known)]
WallTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]


class QuietHours(BaseModel):
    """From `start` to `end` on the wall clock, over midnight where `end` is earlier.

    `wake_for` is the least level that comes through; what does not is deferred to the end, or dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: WallTime
    end: WallTime
    wake_for: Level | None = None
    then: Literal["defer", "drop"] = "defer"
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _last(self) -> "QuietHours":
        if self.start == self.end:
            raise ValueError("start and end are the same: to hear nothing for a while, use snoozed_until")
        return self

    def quiet_until(self, now: datetime, site_zone: str) -> datetime | None:
        """The end of the quiet hours that `now` (aware) lies in; None where it lies in none.

        An hour that a day has twice is quiet both times where it is in doubt; a wall time that a day does not have
        stands for the moment of the change.
        """
        minute = now.astimezone(UTC).replace(second=0, microsecond=0)
        return _quiet_until(self.start, self.end, self.time_zone or site_zone, minute)


class DailyCap(BaseModel):
    """At most `count` alerts on the reader's own day; flash may be left out of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=0, le=1_000)
    flash_exempt: bool = False
    time_zone: TimeZone | None = None

    def day(self, now: datetime, site_zone: str) -> int:
        """The reader's own day, as days since 1970-01-01."""
        return (now.astimezone(ZoneInfo(self.time_zone or site_zone)).date() - _EPOCH).days


# A million readers have a few thousand quiet hours between them, and each minute asks for all of them again.
@lru_cache(maxsize=10_000)
def _quiet_until(start: str, end: str, time_zone: str, minute: datetime) -> datetime | None:
    zone = ZoneInfo(time_zone)
    until, moment = None, minute
    while ends := _end_of(moment, zone, time.fromisoformat(start), time.fromisoformat(end)):
        until = moment = ends
    return until


def _end_of(now: datetime, zone: ZoneInfo, start: time, end: time) -> datetime | None:
    """The end of the one night that `now` (UTC) lies in."""
    today = now.astimezone(zone).date()
    # A clock that is set back past midnight comes from a day that is tomorrow again.
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        begins = _moment(day, start, zone, fold=0)
        ends = _moment(day if start < end else day + timedelta(days=1), end, zone, fold=1)
        if begins <= now < ends:
            return ends
    return None


def _moment(day: date, wall: time, zone: ZoneInfo, fold: int) -> datetime:
    """When a wall clock comes to this time: of two such moments the first (fold 0) or the second, and where the clock
    jumps over it, the moment at which it jumps (PEP 495)."""
    local = datetime.combine(day, wall, zone)
    early, late = (local.replace(fold=each).astimezone(UTC) for each in (0, 1))
    if early > late:  # in a gap the two folds give the moments seen from either side of it
        return _jump(late, early, zone)
    return early if fold == 0 or _goes_back_to(late, local, zone) else late


def _goes_back_to(late: datetime, local: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock is set back to this very time: it showed it before, and nothing before it again."""
    shown = (late - timedelta(minutes=1)).astimezone(zone)
    return shown.replace(tzinfo=None) > local.replace(tzinfo=None)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between these two, whole minutes, at which the clock jumps."""
    offset = before.astimezone(zone).utcoffset()
    while (minutes := (after - before) // timedelta(minutes=1)) > 1:
        middle = before + timedelta(minutes=minutes // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
