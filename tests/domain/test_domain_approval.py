"""Who may move an alert from which state to which, before it goes out."""

from datetime import timedelta
from typing import Any

import pytest

from samples import NOW, a_draft, an_alert
from tocsin.domain.alerts import AlertDraft, AlertState
from tocsin.domain.approval import Goal, Moment, Step, content_hash, first_goal, move, state_of
from tocsin.domain.drafts import AlertPatch
from tocsin.domain.errors import Conflict, Forbidden, Invalid
from tocsin.domain.levels import Level

S = AlertState
BREAKING = (Level.FLASH, Level.BREAKING)
# Each state with each step: where it leads without and with a second person; what is not here is a conflict.
TABLE: dict[tuple[AlertState, Step], tuple[Goal | None, Goal | None]] = {
    (S.DRAFT, Step.EDIT): (Goal.DRAFT, Goal.DRAFT),
    (S.DRAFT, Step.SUBMIT): (Goal.AWAITING, Goal.AWAITING),
    (S.DRAFT, Step.SEND): (Goal.OUT, Goal.AWAITING),
    (S.AWAITING_APPROVAL, Step.EDIT): (Goal.AWAITING, Goal.AWAITING),
    (S.AWAITING_APPROVAL, Step.SUBMIT): (Goal.SAME, Goal.SAME),
    (S.AWAITING_APPROVAL, Step.APPROVE): (Goal.OUT, Goal.OUT),
    (S.AWAITING_APPROVAL, Step.REJECT): (Goal.REJECTED, Goal.REJECTED),
    (S.AWAITING_APPROVAL, Step.SEND): (Goal.OUT, None),
    (S.SCHEDULED, Step.EDIT): (Goal.OUT, Goal.AWAITING),
    (S.UNDO_WINDOW, Step.EDIT): (Goal.OUT, Goal.AWAITING),
    (S.REJECTED, Step.REJECT): (Goal.SAME, Goal.SAME),
    **{(state, Step.SEND): (Goal.SAME, Goal.SAME) for state in (S.SCHEDULED, S.UNDO_WINDOW, S.SENDING, S.SENT)},
}


@pytest.mark.parametrize("needed", [False, True], ids=["alone", "with a second"])
@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", AlertState)
def test_every_step_from_every_state(state: AlertState, step: Step, needed: bool) -> None:
    expected = TABLE.get((state, step), (None, None))[needed]
    found = Moment(state, Level.BREAKING, ("author",))

    if expected is None:
        with pytest.raises(Conflict, match=str(state)):
            move(found, step, "second", BREAKING if needed else ())
    else:
        assert move(found, step, "second", BREAKING if needed else ()) is expected


def test_what_is_out_is_moved_by_nobody() -> None:
    for state in (S.SENDING, S.SENT, S.STOPPED, S.EXPIRED):
        assert {goal for key, goals in TABLE.items() if key[0] is state for goal in goals} <= {Goal.SAME}


@pytest.mark.parametrize("state", [S.SCHEDULED, S.UNDO_WINDOW, S.SENDING, S.SENT])
@pytest.mark.parametrize("approval", [(), BREAKING])
def test_an_approval_is_repeated_by_who_gave_it_alone(state: AlertState, approval: tuple[Level, ...]) -> None:
    approved = Moment(state, Level.FLASH, ("author",), "second")

    assert move(approved, Step.APPROVE, "second", approval) is Goal.SAME
    for person in ("third", "author"):
        with pytest.raises(Conflict, match=str(state)):
            move(approved, Step.APPROVE, person, approval)


def test_what_waits_for_a_second_person_is_sent_again_by_its_writers_alone() -> None:
    found = Moment(S.AWAITING_APPROVAL, Level.FLASH, ("author", "who edited"))

    for writer in found.writers:
        assert move(found, Step.SEND, writer, BREAKING) is Goal.SAME
    with pytest.raises(Conflict, match="when somebody approves it"):
        move(found, Step.SEND, "third", BREAKING)


@pytest.mark.parametrize("approval", [(), BREAKING])
def test_nobody_approves_their_own_words(approval: tuple[Level, ...]) -> None:
    found = Moment(S.AWAITING_APPROVAL, Level.FLASH, ("author", "who edited"))

    for person in found.writers:
        with pytest.raises(Forbidden):
            move(found, Step.APPROVE, person, approval)
        assert move(found, Step.REJECT, person, approval) is Goal.REJECTED
    assert move(found, Step.APPROVE, "second", approval) is Goal.OUT


@pytest.mark.parametrize(
    ("draft", "approval", "goal", "state"),
    [
        (a_draft(), (), Goal.OUT, S.SENDING),
        (a_draft(), BREAKING, Goal.AWAITING, S.AWAITING_APPROVAL),
        (a_draft(level="update"), BREAKING, Goal.OUT, S.SENDING),
        (a_draft(state="draft"), (), Goal.DRAFT, S.DRAFT),
        (a_draft(state="draft"), BREAKING, Goal.DRAFT, S.DRAFT),
        (a_draft(undo_seconds=5), (), Goal.OUT, S.UNDO_WINDOW),
        (a_draft(send_at=NOW + timedelta(hours=1)), (), Goal.OUT, S.SCHEDULED),
        (a_draft(send_at=NOW + timedelta(hours=1)), BREAKING, Goal.AWAITING, S.AWAITING_APPROVAL),
    ],
)
def test_where_a_new_alert_goes(draft: AlertDraft, approval: tuple[Level, ...], goal: Goal, state: AlertState) -> None:
    assert first_goal(draft, approval) is goal
    assert state_of(goal, an_alert(**draft.model_dump(exclude_defaults=True))) is state


CHANGES: list[dict[str, Any]] = [
    {"headline": "x"},
    {"body": "x"},
    {"url": "https://news.example.com/x"},
    {"topics": ["sport"]},
    {"level": "flash"},
    {"story": "aleppo"},
    {"language": "en"},
    {"ttl": 60},
    {"send_at": NOW},
    {"expires_at": NOW},
    {"image": "https://news.example.com/x.png"},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_an_approval_is_bound_to_words_and_audience(changes: dict[str, Any]) -> None:
    assert content_hash(a_draft(**changes)) != content_hash(a_draft())


def test_an_approval_is_not_bound_to_the_way_there() -> None:
    assert content_hash(a_draft(state="draft")) == content_hash(a_draft()) == content_hash(a_draft(ttl=14_400))


@pytest.mark.parametrize("changes", CHANGES)
def test_a_patch_changes_what_it_names(changes: dict[str, Any]) -> None:
    (name,) = changes

    changed = AlertPatch.model_validate(changes).applied_to(a_draft(state="draft", story="budget"))

    assert changed == a_draft(**{"state": "draft", "story": "budget", **changes})
    assert getattr(changed, name) == getattr(a_draft(**changes), name)


def test_null_is_the_default_again() -> None:
    whole = a_draft(story="aleppo", ttl=5, undo_seconds=3, image="https://news.example.com/x.png")
    patch = AlertPatch.model_validate(dict.fromkeys(["story", "ttl", "undo_seconds", "image", "body", "actions"]))

    assert patch.applied_to(whole) == a_draft(body="")
    assert AlertPatch().applied_to(whole) == whole


def test_what_an_alert_needs_cannot_be_taken_away() -> None:
    with pytest.raises(Invalid) as refused:
        AlertPatch.model_validate({"headline": None, "topics": None, "body": None}).applied_to(a_draft())
    assert [fault.field for fault in refused.value.faults] == ["headline", "topics"]


def test_a_patch_has_the_fields_of_a_draft_and_no_state() -> None:
    assert {*AlertPatch.model_fields, "state"} == set(AlertDraft.model_fields)
