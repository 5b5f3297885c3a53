"""How big a piece of news is, from a few in a year to several a day."""

from enum import StrEnum


class Level(StrEnum):
    """`flash` pierces what the reader allows it to; `breaking` is the day's news; `update` is everything else."""

    FLASH = "flash"
    BREAKING = "breaking"
    UPDATE = "update"

    @property
    def rank(self) -> int:
        """2 for the biggest, 0 for the smallest."""
        return _RANKS[self]

    def admits(self, other: "Level") -> bool:
        """Whether a reader who set this as the least level wants news of the `other` level."""
        return other.rank >= self.rank


_RANKS = {Level.UPDATE: 0, Level.BREAKING: 1, Level.FLASH: 2}
