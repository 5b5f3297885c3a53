"""Who may do what. Permissions are data; the routes name the role that they need."""

from enum import StrEnum


class Role(StrEnum):
    """`admin` may do everything; the others only what their routes name."""

    REPORTER = "reporter"
    EDITOR = "editor"
    OPS = "ops"
    ADMIN = "admin"


def holds(roles: frozenset[Role], needed: Role) -> bool:
    return needed in roles or Role.ADMIN in roles
