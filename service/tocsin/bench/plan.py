"""Which legs there are, how long each is, and what they are to reach."""

from dataclasses import dataclass
from enum import Enum

FRESH = "tocsin-fresh"
PREKEYED = "tocsin-prekeyed"
INCLUDING = "tocsin-including-prekeys"
BY_CURL = "tocsin-prekeyed-curl"
MANY = "tocsin-prekeyed-many"
MANY_DELAYED = "tocsin-prekeyed-delayed"
PYWEBPUSH = "pywebpush"
ASYNC = "pywebpush-async"
ASYNC_KEY_ONCE = "pywebpush-async-key-once"
NODE = "node-web-push"
GO = "go-webpush"

PYWEBPUSH_LEGS = (PYWEBPUSH, ASYNC, ASYNC_KEY_ONCE)

# How many messages a leg sends when `--messages` is left at this, so that each takes two seconds or more.
MESSAGES = 10_000


class Client(Enum):
    """What runs a leg."""

    PYTHON = "python"
    NODE = "node"
    GO = "go"


@dataclass(frozen=True)
class Leg:
    """`share` is of `--messages`: a slow peer would take a minute for what Tocsin sends in a second. A leg with `many`
    has `--in-flight-many` under way and its own sink, one with `delayed` a sink that answers after `--delay`."""

    name: str
    client: Client
    share: float
    many: bool = False
    delayed: bool = False


LEGS = (
    Leg(FRESH, Client.PYTHON, 2.5),
    Leg(PREKEYED, Client.PYTHON, 12),
    Leg(BY_CURL, Client.PYTHON, 4),
    Leg(INCLUDING, Client.PYTHON, 2.5),
    Leg(PYWEBPUSH, Client.PYTHON, 0.05),
    Leg(ASYNC, Client.PYTHON, 0.3),
    Leg(ASYNC_KEY_ONCE, Client.PYTHON, 0.5),
    Leg(NODE, Client.NODE, 0.15),
    Leg(GO, Client.GO, 0.8),
    Leg(MANY, Client.PYTHON, 12, many=True),
    Leg(MANY_DELAYED, Client.PYTHON, 6, many=True, delayed=True),
)


@dataclass(frozen=True)
class Goal:
    """`row` is to be at least `factor` times `against`, in the same run."""

    row: str
    against: str
    factor: float


GOALS = (
    Goal(FRESH, ASYNC, 6),
    Goal(FRESH, NODE, 12),
    Goal(FRESH, GO, 2.5),
    Goal(PREKEYED, ASYNC, 25),
    Goal(PREKEYED, NODE, 45),
    Goal(PREKEYED, GO, 8),
    Goal(MANY_DELAYED, MANY, 0.6),
)
