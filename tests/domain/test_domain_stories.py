"""Stories that readers follow or mute: how they are written, until when they hold, and how many there may be."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from samples import NOW
from tocsin.domain.stories import MAX_STORIES, StoryChoice, StoryChoices, in_order, names

CHOICES: TypeAdapter[tuple[StoryChoice, ...]] = TypeAdapter(StoryChoices)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ([], []),
        (["aleppo"], ["aleppo"]),
        ([{"story": "aleppo"}], ["aleppo"]),
        ([{"story": "aleppo", "until": None}], ["aleppo"]),
        (
            [{"story": "budget", "until": "2026-03-01T13:00:00+01:00"}],
            [{"story": "budget", "until": "2026-03-01T12:00:00Z"}],
        ),
        (
            ["aleppo", {"story": "budget", "until": "2026-03-01T12:00:00.5Z"}],
            ["aleppo", {"story": "budget", "until": "2026-03-01T12:00:00.500000Z"}],
        ),
        (["0", "a" * 60, "a-1-"], ["0", "a" * 60, "a-1-"]),
    ],
)
def test_both_forms(written: list[Any], kept: list[Any]) -> None:
    choices = CHOICES.validate_json(json.dumps(written))
    assert CHOICES.validate_python(written) == choices
    assert CHOICES.dump_python(choices, mode="json") == kept
    assert CHOICES.validate_python(kept) == choices


@pytest.mark.parametrize(
    ("written", "place"),
    [
        (["Aleppo"], (0, "story")),
        (["aleppo", "two words"], (1, "story")),
        ([""], (0, "story")),
        (["-a"], (0, "story")),
        (["a\n"], (0, "story")),
        (["a" * 61], (0, "story")),
        ([7], (0,)),
        ([None], (0,)),
        ([{"until": "2026-03-01T12:00:00Z"}], (0, "story")),
        ([{"story": "a", "until": "tomorrow"}], (0,)),
        ([{"story": "a", "until": "2026-03-01T12:00:00"}], (0, "until")),
        ([{"story": "a", "colour": "red"}], (0, "colour")),
        (["a"] * (MAX_STORIES + 1), ()),
    ],
)
def test_what_is_no_choice(written: list[Any], place: tuple[int | str, ...]) -> None:
    with pytest.raises(ValidationError) as refusal:
        CHOICES.validate_json(json.dumps(written))
    assert refusal.value.errors()[0]["loc"] == place


def test_so_many_may_be_chosen() -> None:
    assert len(CHOICES.validate_python([f"s-{number}" for number in range(MAX_STORIES)])) == MAX_STORIES


def test_each_story_once_in_order_and_the_last_one_named_counts() -> None:
    choices = CHOICES.validate_python(["b", {"story": "c", "until": NOW}, "a", {"story": "b", "until": NOW}, "c"])
    assert CHOICES.dump_python(in_order(choices), mode="json") == [
        "a",
        {"story": "b", "until": "2026-03-01T12:00:00Z"},
        "c",
    ]


def test_a_choice_ends_at_its_moment() -> None:
    choices = CHOICES.validate_python(["always", {"story": "soon", "until": NOW}])
    before = NOW - timedelta(microseconds=1)
    far = datetime(9999, 1, 1, tzinfo=UTC)
    assert [names(choices, "soon", moment) for moment in (before, NOW, far)] == [True, False, False]
    assert [names(choices, "always", moment) for moment in (before, NOW, far)] == [True, True, True]
    assert not names(choices, "other", before)
    assert not names(choices, None, before)
