"""The table of faults: each module of strikes adds its own, by the decorator."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faults.scene import Scene

Strike = Callable[[Scene], Awaitable[None]]
Bound = Callable[[float], float]


def after_lease(lease: float) -> float:
    """What a killed process held goes on when its lease has lapsed."""
    return lease + 5


def after_restart(_: float) -> float:
    return 10.0


def after_wipe(_: float) -> float:
    return 5.0


@dataclass(frozen=True)
class Fault:
    """`bound` gives the most seconds to recover from the lease, where any are promised; `clock` is for a town whose
    clock can be moved."""

    name: str
    strike: Strike
    bound: Bound | None = None
    clock: bool = False


FAULTS: dict[str, Fault] = {}


def fault(name: str, bound: Bound | None = None, *, clock: bool = False) -> Callable[[Strike], Strike]:
    def add(strike: Strike) -> Strike:
        assert name not in FAULTS
        FAULTS[name] = Fault(name, strike, bound, clock)
        return strike

    return add
