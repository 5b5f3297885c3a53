"""Before an alert goes out: who may move it from which state to which, as a table, and what an approval is bound to."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto

from tocsin.domain.alerts import Alert, AlertDraft, AlertState
from tocsin.domain.errors import Conflict, Forbidden
from tocsin.domain.levels import Level


class Step(StrEnum):
    """What a person does with an alert that is not out yet."""

    EDIT = auto()
    SUBMIT = auto()
    APPROVE = auto()
    REJECT = auto()
    SEND = auto()


class Goal(StrEnum):
    """Where a step leads. `OUT` is scheduled, undo_window or sending, as the alert's own times say; `SAME` changes
    nothing: a repeat, since whoever lost the answer does it again."""

    DRAFT = auto()
    AWAITING = auto()
    OUT = auto()
    REJECTED = auto()
    SAME = auto()


Moves = Mapping[tuple[AlertState, Step], Goal]

# What an alert may have become by the time of a repeat. Of one that was stopped or expired it would be no answer.
_OUT = (AlertState.SCHEDULED, AlertState.UNDO_WINDOW, AlertState.SENDING, AlertState.SENT)

_ALWAYS: Moves = {
    (AlertState.DRAFT, Step.EDIT): Goal.DRAFT,
    (AlertState.DRAFT, Step.SUBMIT): Goal.AWAITING,
    (AlertState.AWAITING_APPROVAL, Step.EDIT): Goal.AWAITING,
    (AlertState.AWAITING_APPROVAL, Step.SUBMIT): Goal.SAME,
    (AlertState.AWAITING_APPROVAL, Step.APPROVE): Goal.OUT,
    (AlertState.AWAITING_APPROVAL, Step.REJECT): Goal.REJECTED,
    (AlertState.REJECTED, Step.REJECT): Goal.SAME,
    **{(state, step): Goal.SAME for state in _OUT for step in (Step.APPROVE, Step.SEND)},
}
ALONE: Moves = {
    **_ALWAYS,
    (AlertState.DRAFT, Step.SEND): Goal.OUT,
    # Somebody asked for a second pair of eyes that the level does not need.
    (AlertState.AWAITING_APPROVAL, Step.SEND): Goal.OUT,
    (AlertState.SCHEDULED, Step.EDIT): Goal.OUT,
    (AlertState.UNDO_WINDOW, Step.EDIT): Goal.OUT,
}
WITH_A_SECOND: Moves = {
    **_ALWAYS,
    (AlertState.DRAFT, Step.SEND): Goal.AWAITING,
    (AlertState.AWAITING_APPROVAL, Step.SEND): Goal.SAME,
    # An edit voids the approval.
    (AlertState.SCHEDULED, Step.EDIT): Goal.AWAITING,
    (AlertState.UNDO_WINDOW, Step.EDIT): Goal.AWAITING,
}


@dataclass(frozen=True)
class Moment:
    """An alert as a step finds it. `writers` are all whose words it holds: the author, and whoever edited it;
    `approved_by` is who approved it as it is."""

    state: AlertState
    level: Level
    writers: Collection[str]
    approved_by: str | None = None


def move(found: Moment, step: Step, person: str, approval: Collection[Level]) -> Goal:
    """Where the step leads; `approval` are the levels that need a second person.

    Raises Conflict for a state that has no such step, and Forbidden for an approval of one's own words.
    """
    needs_a_second = found.level in approval
    goal = (WITH_A_SECOND if needs_a_second else ALONE).get((found.state, step))
    if goal is Goal.SAME and not _is_repeat(found, step, person):
        goal = None
    if goal is None:
        waits = step is Step.SEND and found.state is AlertState.AWAITING_APPROVAL
        raise Conflict(f"the alert is {found.state}" + (": it goes out when somebody approves it" if waits else ""))
    if step is Step.APPROVE and person in found.writers:
        raise Forbidden("who wrote an alert, or any of it, cannot approve it: it takes a second person")
    return goal


def _is_repeat(found: Moment, step: Step, person: str) -> bool:
    """Whether this person may have done it before. An approval is somebody's, so another's comes too late; and who had
    no part in an alert that waits must not take `send` for an approval."""
    if step is Step.APPROVE:
        return person == found.approved_by
    return step is not Step.SEND or found.state is not AlertState.AWAITING_APPROVAL or person in found.writers


def first_goal(draft: AlertDraft, approval: Collection[Level]) -> Goal:
    """Where a new alert goes."""
    if draft.state == "draft":
        return Goal.DRAFT
    return Goal.AWAITING if draft.level in approval else Goal.OUT


def state_of(goal: Goal, alert: Alert) -> AlertState:
    states = {
        Goal.DRAFT: AlertState.DRAFT,
        Goal.AWAITING: AlertState.AWAITING_APPROVAL,
        Goal.REJECTED: AlertState.REJECTED,
    }
    return alert.first_state if goal is Goal.OUT else states[goal]


def content_hash(draft: AlertDraft) -> str:
    """What an approval is bound to: the words, and to whom and when they go by definition, never how many that are."""
    told = draft.model_copy(update={"state": None})
    # Without defaults, so that it stays the same in a newer version that has more fields.
    return hashlib.sha256(told.model_dump_json(exclude_defaults=True).encode()).hexdigest()
