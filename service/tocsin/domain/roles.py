"""Who may do what. Permissions are data; the routes name the role that they need."""

from enum import StrEnum


class Role(StrEnum):
    """`admin` may do everything; the others only what their routes name."""

    REPORTER = "reporter"
    EDITOR = "editor"
    OPS = "ops"
    ADMIN = "admin"


# Whoever may send may draft as well.
_INCLUDE = {Role.REPORTER: Role.EDITOR}


def holds(roles: frozenset[Role], needed: Role) -> bool:
    return not roles.isdisjoint({needed, _INCLUDE.get(needed, needed), Role.ADMIN})
