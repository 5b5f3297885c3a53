"""Preferences: merge patches and the one form under which equal sets are kept once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.domain.errors import Invalid
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences, PreferencesPatch

TOPICS = ("world", "sport", "culture", "politics")
DEFAULTS = Preferences(topics=("world",))
STORED = Preferences(
    topics=("culture", "sport"),
    min_level=Level.BREAKING,
    topic_levels={"culture": Level.UPDATE, "sport": Level.FLASH},
)

topics = st.sampled_from(TOPICS)
levels = st.sampled_from(Level)
some_preferences = st.builds(
    Preferences,
    topics=st.lists(topics).map(tuple),
    min_level=levels,
    topic_levels=st.dictionaries(topics, levels),
)
some_patches = st.fixed_dictionaries(
    {},
    optional={
        "topics": st.none() | st.lists(topics),
        "min_level": st.none() | levels,
        "topic_levels": st.none() | st.dictionaries(topics, st.none() | levels),
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
    expected = Preferences.model_validate({**given_defaults, **merged(before, patch)})

    changed = PreferencesPatch.model_validate(patch).applied_to(stored, defaults)

    assert changed.canonical == expected.canonical
    assert stored.model_dump(mode="json") == before


@given(some_preferences, st.randoms(use_true_random=False))
def test_equal_sets_have_one_form(preferences: Preferences, chance: Any) -> None:
    shuffled = [*preferences.topics, *preferences.topics]
    chance.shuffle(shuffled)
    entries = list(preferences.topic_levels.items())
    chance.shuffle(entries)
    same = Preferences(topics=tuple(shuffled), min_level=preferences.min_level, topic_levels=dict(entries))

    assert same.canonical == preferences.canonical
    assert Preferences.model_validate_json(same.canonical).canonical == same.canonical


@given(some_preferences, some_preferences)
def test_different_sets_have_different_forms(one: Preferences, other: Preferences) -> None:
    equal = (set(one.topics), one.min_level, one.topic_levels) == (
        set(other.topics),
        other.min_level,
        other.topic_levels,
    )
    assert (one.canonical == other.canonical) is equal


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
