"""Preferences: merge patches and the one form under which equal sets are kept once."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.domain.errors import Invalid
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences, PreferencesPatch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPICS = ("world", "sport", "culture", "politics")
DEFAULTS = Preferences(topics=("world",))
STORED = Preferences(
    topics=("culture", "sport"),
    min_level=Level.BREAKING,
    topic_levels={"culture": Level.UPDATE, "sport": Level.FLASH},
)

topics = st.sampled_from(TOPICS)
levels = st.sampled_from(Level)
zones = st.none() | st.sampled_from(["Europe/London", "Asia/Tokyo"])
walls = st.sampled_from(["00:00", "07:00", "22:00"])
stories = st.lists(
    st.sampled_from(["aleppo", "budget"])
    | st.fixed_dictionaries({"story": st.just("election"), "until": st.sampled_from([None, "2026-03-01T12:00:00Z"])}),
    max_size=3,
)
parts: dict[str, st.SearchStrategy[Any]] = {
    "topics": st.lists(topics),
    "min_level": levels,
    "topic_levels": st.dictionaries(topics, levels),
    "time_zone": zones,
    "quiet_hours": st.none()
    | st.fixed_dictionaries(
        {"start": walls, "end": walls},
        optional={"wake_for": st.none() | levels, "then": st.sampled_from(["defer", "drop"]), "time_zone": zones},
    ).filter(lambda hours: hours["start"] != hours["end"]),
    "daily_cap": st.none()
    | st.fixed_dictionaries({"count": st.integers(0, 9)}, optional={"flash_exempt": st.booleans(), "time_zone": zones}),
    "snoozed_until": st.sampled_from([None, "2026-03-01T12:00:00Z", "2026-03-02T07:00:00Z"]),
    "muted_stories": stories,
    "followed_stories": stories,
    "language": st.sampled_from([None, "en", "pt-BR"]),
}
some_preferences = st.fixed_dictionaries({}, optional=parts).map(Preferences.model_validate)
# What is sent may be null anywhere, and name a part of what is nested.
some_patches = st.fixed_dictionaries(
    {},
    optional={name: st.none() | part for name, part in parts.items()}
    | {
        "topic_levels": st.none() | st.dictionaries(topics, st.none() | levels),
        "quiet_hours": st.none()
        | st.fixed_dictionaries(
            {}, optional={"start": walls, "wake_for": st.none() | levels, "then": st.none() | st.just("drop")}
        ),
        "daily_cap": st.none()
        | st.fixed_dictionaries({}, optional={"count": st.integers(0, 9), "flash_exempt": st.none() | st.booleans()}),
    },
)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396 §2, word for word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({}, STORED),
        ({"topics": ["world", "sport", "world"]}, STORED.model_copy(update={"topics": ("sport", "world")})),
        ({"topics": []}, STORED.model_copy(update={"topics": ()})),
        ({"topics": None}, STORED.model_copy(update={"topics": ("world",)})),
        ({"min_level": "flash"}, STORED.model_copy(update={"min_level": Level.FLASH})),
        ({"min_level": None}, STORED.model_copy(update={"min_level": Level.UPDATE})),
        ({"topic_levels": {}}, STORED),
        ({"topic_levels": None}, STORED.model_copy(update={"topic_levels": {}})),
        (
            {"topic_levels": {"sport": None, "world": "breaking"}},
            STORED.model_copy(update={"topic_levels": {"culture": Level.UPDATE, "world": Level.BREAKING}}),
        ),
        ({"topic_levels": {"world": None}}, STORED),
    ],
)
def test_a_patch_changes_what_it_names(patch: dict[str, Any], expected: Preferences) -> None:
    assert PreferencesPatch.model_validate(patch).applied_to(STORED, DEFAULTS) == expected


def test_null_is_the_sites_default_for_a_level_too() -> None:
    defaults = Preferences(min_level=Level.BREAKING, topic_levels={"sport": Level.FLASH})

    changed = PreferencesPatch.model_validate({"min_level": None, "topic_levels": None}).applied_to(STORED, defaults)

    assert (changed.min_level, changed.topic_levels) == (Level.BREAKING, {"sport": Level.FLASH})


@given(some_preferences, some_patches, some_preferences)
def test_every_patch_is_a_merge_patch(stored: Preferences, patch: dict[str, Any], defaults: Preferences) -> None:
    before = stored.model_dump(mode="json")
    given_defaults = defaults.model_dump(mode="json")
    try:
        expected = Preferences.model_validate({**given_defaults, **merged(before, patch)})
    except ValidationError:  # such as quiet hours without an end
        with pytest.raises(Invalid):
            PreferencesPatch.model_validate(patch).applied_to(stored, defaults)
        return

    changed = PreferencesPatch.model_validate(patch).applied_to(stored, defaults)

    assert (changed.canonical, changed.personal) == (expected.canonical, expected.personal)
    assert stored.model_dump(mode="json") == before
    again = PreferencesPatch.model_validate(changed.model_dump(mode="json")).applied_to(changed, Preferences())
    assert again == changed


@given(some_preferences, st.randoms(use_true_random=False))
def test_equal_sets_have_one_form(preferences: Preferences, chance: Any) -> None:
    shuffled = [*preferences.topics, *preferences.topics]
    chance.shuffle(shuffled)
    entries = list(preferences.topic_levels.items())
    chance.shuffle(entries)
    same = preferences.model_copy(update={"topics": tuple(shuffled), "topic_levels": dict(entries)})

    assert same.canonical == preferences.canonical
    assert Preferences.model_validate_json(same.canonical).canonical == same.canonical


@given(some_preferences)
def test_shared_and_personal_parts_make_the_whole_again(preferences: Preferences) -> None:
    shared = Preferences.model_validate_json(preferences.canonical)
    whole = shared.with_personal(preferences.personal)

    assert (whole.canonical, whole.personal) == (preferences.canonical, preferences.personal)
    assert shared.personal == ""
    personal = (preferences.snoozed_until, preferences.muted_stories, preferences.followed_stories)
    assert (preferences.personal == "") is (personal == (None, (), ()))


@given(some_preferences, some_preferences)
def test_different_sets_have_different_forms(one: Preferences, other: Preferences) -> None:
    def shared(of: Preferences) -> dict[str, Any]:
        plain = of.model_dump(exclude={"snoozed_until", "muted_stories", "followed_stories"})
        return {**plain, "topics": set(of.topics)}

    assert (one.canonical == other.canonical) is (shared(one) == shared(other))


def test_what_most_readers_have_is_written_in_few_bytes() -> None:
    preferences = Preferences(topics=("sport", "world"))
    assert preferences.canonical == '{"topics":["sport","world"]}'
    assert preferences.personal == ""


def test_one_moment_has_one_form() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=3)))
    assert Preferences(snoozed_until=there).personal == '{"snoozed_until":"2026-03-01T12:00:00Z"}'
    assert Preferences(snoozed_until=NOON).personal == Preferences(snoozed_until=there).personal


@pytest.mark.parametrize(
    "stored",
    [
        '{"topics":["world"],"min_level":"update","topic_levels":{}}',
        '{"topics":["sport","world"],"min_level":"breaking","topic_levels":{"sport":"flash"}}',
        '{"topics":[],"min_level":"flash","topic_levels":{"gone":"update"}}',
    ],
)
def test_the_first_stored_form_still_loads(stored: str) -> None:
    """Written before there was anything but topics and levels."""
    loaded = Preferences.model_validate_json(stored)
    assert loaded.model_dump(mode="json", include={"topics", "min_level", "topic_levels"}) == json.loads(stored)
    assert loaded.personal == ""
    assert (loaded.quiet_hours, loaded.daily_cap, loaded.time_zone, loaded.language) == (None, None, None, None)


def test_a_newer_form_is_refused_and_not_half_read() -> None:
    with pytest.raises(ValidationError):
        Preferences.model_validate_json('{"topics":["world"],"mood":"calm"}')
    with pytest.raises(ValidationError):
        Preferences().with_personal(b'{"snoozed_until":null,"mood":"calm"}')


def test_looking_at_the_form_changes_no_equality() -> None:
    one, other = Preferences(topics=("world",)), Preferences(topics=("world",))
    assert one.canonical
    assert one == other


@pytest.mark.parametrize(
    "patch",
    [
        {"topics": ["World"]},
        {"topics": ["world\n"]},
        {"topics": ["-world"]},
        {"topics": ["w" * 41]},
        {"topics": "world"},
        {"topics": [1]},
        {"topics": ["a"] * 201},
        {"min_level": "urgent"},
        {"min_level": "FLASH"},
        {"topic_levels": {"sport": "urgent"}},
        {"topic_levels": ["sport"]},
        {"time_zone": "Mars/Olympus"},
        {"quiet_hours": {"start": "25:00"}},
        {"quiet_hours": {"then": "wait"}},
        {"quiet_hours": {"until": "07:00"}},
        {"quiet_hours": "22:00-07:00"},
        {"daily_cap": {"count": -1}},
        {"daily_cap": {"count": True}},
        {"daily_cap": {"count": "5"}},
        {"daily_cap": 5},
        {"snoozed_until": "2026-03-01T12:00:00"},
        {"muted_stories": ["Two Words"]},
        {"followed_stories": ["a"] * 101},
        {"language": "english!"},
        {"colour": "blue"},
    ],
)
def test_what_is_no_preference_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PreferencesPatch.model_validate(patch)


def test_unknown_topics_are_named_with_their_place() -> None:
    patch = PreferencesPatch.model_validate(
        {"topics": ["world", "golf"], "topic_levels": {"chess": "flash", "gone": None}}
    )

    with pytest.raises(Invalid) as refusal:
        patch.check_topics({"world"}, "preferences.")

    assert [fault.field for fault in refusal.value.faults] == [
        "preferences.topics[1]",
        "preferences.topic_levels.chess",
    ]
    patch.check_topics({"world", "golf", "chess"})
