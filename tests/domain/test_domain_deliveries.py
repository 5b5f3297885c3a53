"""The table of answers and the ledger's bytes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.decisions import OUTSIDE, SEND, Decision, Reason, Verdict
from tocsin.domain.deliveries import (
    GIVEN_BACK,
    MARK_OF,
    OUTCOMES,
    SKIPPED,
    TURNED,
    UNFINISHED,
    Answer,
    Failure,
    Ledger,
    Mark,
    Outcome,
    Rule,
    classify,
    planned,
    told,
    turned,
)

ACCEPTED = Rule(Outcome.ACCEPTED)
GONE = Rule(Outcome.GONE)
REJECTED = Rule(Outcome.REJECTED)
THROTTLED = Rule(Outcome.THROTTLED, retry=True)
FAILED = Rule(Outcome.FAILED, retry=True)


@pytest.mark.parametrize(
    ("statuses", "rule"),
    [
        ([200, 201, 202, 204], ACCEPTED),
        ([400, 401, 403, 405, 413, 414, 415, 422, 499], REJECTED),
        ([404, 410], GONE),
        ([406, 429], THROTTLED),
        ([408, 425], FAILED),
        ([300, 301, 302, 303, 304, 307, 308], FAILED),
        ([500, 501, 502, 503, 504, 507, 599], FAILED),
        ([0, 100, 103, 600, 999], FAILED),
    ],
)
def test_the_table(statuses: list[int], rule: Rule) -> None:
    assert [classify(Answer(status)) for status in statuses] == [rule] * len(statuses)


def test_only_404_and_410_end_a_subscription() -> None:
    answers = [Answer(status) for status in range(1_000)]
    answers += [Answer(status, failure) for status in (0, 201, 404, 410) for failure in Failure]
    gone = [answer for answer in answers if classify(answer).outcome is Outcome.GONE]
    assert gone == [Answer(404), Answer(410)]


def test_only_success_is_accepted_and_it_is_never_tried_again() -> None:
    accepted = [status for status in range(1_000) if classify(Answer(status)).outcome is Outcome.ACCEPTED]
    assert accepted == list(range(200, 300))
    assert not any(classify(Answer(status)).retry for status in accepted)


@pytest.mark.parametrize("failure", Failure)
def test_no_answer_is_an_outage_except_from_an_address_that_we_refuse(failure: Failure) -> None:
    assert classify(Answer(0, failure)) == (REJECTED if failure is Failure.REFUSED_ADDRESS else FAILED)


def test_what_is_not_tried_again_has_a_byte() -> None:
    final = {classify(Answer(status)).outcome for status in range(1_000) if not classify(Answer(status)).retry}
    assert final == MARK_OF.keys()


@pytest.mark.parametrize(
    ("answer", "label"),
    [(Answer(201), "201"), (Answer(0, Failure.TIMEOUT), "timeout"), (Answer(0, Failure.DNS), "dns")],
)
def test_labels(answer: Answer, label: str) -> None:
    assert answer.label == label


def test_bytes_are_one_each_and_never_change() -> None:
    assert {mark.name: str(mark) for mark in Mark} == {
        "NOBODY": "\0", "OUTSIDE": "-", "LANGUAGE": "n", "MUTED_STORY": "m", "SNOOZED": "z", "LEVEL": "l",
        "QUIET_HOURS": "q", "DAILY_CAP": "c", "PENDING": "p", "RETRYING": "r", "ACCEPTED": "a", "GONE": "g",
        "REJECTED": "x", "EXPIRED": "e", "STOPPED": "s", "CORRECTED": "w", "OPTED_OUT": "o", "SET_ASIDE": "k",
        "DEFERRED": "d", "TURNED_LANGUAGE": "N", "TURNED_MUTED_STORY": "M", "TURNED_SNOOZED": "Z", "TURNED_LEVEL": "L",
        "TURNED_QUIET_HOURS": "Q", "TURNED_DAILY_CAP": "C", "NO_KEY": "v",
    }  # fmt: skip


def test_every_byte_is_counted_in_one_place() -> None:
    nowhere = {Mark.NOBODY, Mark.OUTSIDE}
    counted = [mark for marks in OUTCOMES.values() for mark in marks]
    assert sorted([*counted, *SKIPPED.values(), *nowhere]) == sorted(Mark)
    assert set(UNFINISHED) < set(counted)
    assert list(SKIPPED) == list(TURNED) == list(Reason)


def test_a_count_is_given_back_exactly_where_the_reader_did_not_get_it_in_the_end() -> None:
    open_or_had = {Mark.PENDING, Mark.RETRYING, Mark.DEFERRED, Mark.ACCEPTED}
    assert {mark for marks in OUTCOMES.values() for mark in marks} == GIVEN_BACK | open_or_had
    assert not GIVEN_BACK & open_or_had


LATER = Decision(Verdict.DEFER, Reason.QUIET_HOURS, datetime(2026, 3, 2, 7, tzinfo=UTC))


@pytest.mark.parametrize(
    ("decision", "before", "at_the_turn"),
    [
        (SEND, Mark.PENDING, Mark.PENDING),
        (LATER, Mark.DEFERRED, Mark.DEFERRED),
        (OUTSIDE, Mark.OUTSIDE, Mark.OPTED_OUT),
        *((Decision(Verdict.SKIP, reason), SKIPPED[reason], TURNED[reason]) for reason in Reason),
    ],
)
def test_each_decision_has_its_byte(decision: Decision, before: Mark, at_the_turn: Mark) -> None:
    assert (planned(decision), turned(decision)) == (before, at_the_turn)


def test_what_a_reader_is_told() -> None:
    assert {mark.name: told(mark) for mark in Mark} == {
        "NOBODY": ("skipped", "subscribed_later"),
        "OUTSIDE": ("skipped", "not_followed"),
        "PENDING": ("pending", None),
        "RETRYING": ("retrying", None),
        "ACCEPTED": ("accepted", None),
        "GONE": ("gone", None),
        "REJECTED": ("rejected", None),
        "NO_KEY": ("rejected", "key_missing"),
        "EXPIRED": ("expired", None),
        "STOPPED": ("stopped", None),
        "CORRECTED": ("stopped", "corrected"),
        "OPTED_OUT": ("opted_out", None),
        "SET_ASIDE": ("set_aside", None),
        "DEFERRED": ("deferred", "quiet_hours"),
        **{reason.name: ("skipped", reason) for reason in Reason},
        **{f"TURNED_{reason.name}": ("opted_out", reason) for reason in Reason},
    }


@pytest.mark.parametrize("mark", Mark)
def test_a_reader_is_told_what_is_counted(mark: Mark) -> None:
    outcome, reason = told(mark)
    counted = [name for name, marks in OUTCOMES.items() if mark in marks]
    assert counted == ([] if outcome == "skipped" else [outcome])
    if mark in SKIPPED.values():
        assert SKIPPED[Reason(str(reason))] is mark


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(Mark))))
def test_the_counts_add_up_whatever_is_marked(marks: list[tuple[int, Mark]]) -> None:
    ledger, plain = Ledger(bytes(1_000)), [Mark.NOBODY] * 1_000
    for slot, mark in marks:
        ledger[slot] = mark
        plain[slot] = mark

    assert [ledger[slot] for slot in range(1_000)] == plain
    assert sum(ledger.count(mark) for mark in Mark) == 1_000
    totals = {name: sum(mark in marks for mark in plain) for name, marks in OUTCOMES.items()}
    assert {name: ledger.total(name) for name in OUTCOMES} == totals
    assert ledger.eligible == sum(totals.values())
    for mark in Mark:
        assert list(ledger.slots(mark)) == [slot for slot, at in enumerate(plain) if at is mark]
    assert bytes(Ledger(bytes(ledger))) == bytes(ledger)
    assert len(bytes(ledger)) == 1_000


def test_slots_may_be_marked_while_they_are_walked() -> None:
    ledger = Ledger(b"pp-p")
    for slot in ledger.slots(Mark.PENDING):
        ledger[slot] = Mark.ACCEPTED
    assert bytes(ledger) == b"aa-a"
