"""Receipts: what a browser tells of a notification, and the bits that keep it."""

from enum import StrEnum


class Event(StrEnum):
    """What became of a notification on a screen."""

    SHOWN = "shown"
    CLICKED = "clicked"
    CLOSED = "closed"


class Keeping(StrEnum):
    """What is kept of receipts: nothing, only counts that name nobody, or each browser's own, too."""

    OFF = "off"
    AGGREGATE = "aggregate"
    INDIVIDUAL = "individual"


# One byte for each slot of a shard. The bits are stored: never give one another meaning.
BITS: dict[Event, int] = {Event.SHOWN: 1, Event.CLICKED: 2, Event.CLOSED: 4}


def events_of(byte: int) -> list[Event]:
    return [event for event, bit in BITS.items() if byte & bit]
