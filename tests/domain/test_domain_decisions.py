"""`decide` against the contract's words, written down a second time and plainly."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.decisions import OUTSIDE, SEND, SKIP_LEVEL, Audience, Decision, Reason, Verdict, decide
from tocsin.domain.deliveries import Mark, planned
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDER = ["update", "breaking", "flash"]

topics = st.sampled_from(["world", "sport", "culture", "politics"])
levels = st.sampled_from(Level)


def plainly(alert_topics: frozenset[str], alert_level: str, preferences: Preferences) -> Decision:
    wanted_by_any = False
    follows_any = False
    for topic in alert_topics:
        if topic in preferences.topics:
            follows_any = True
            least = str(preferences.topic_levels.get(topic, preferences.min_level))
            if ORDER.index(alert_level) >= ORDER.index(least):
                wanted_by_any = True
    if not follows_any:
        return Decision(Verdict.OUTSIDE)
    return Decision(Verdict.SEND) if wanted_by_any else Decision(Verdict.SKIP, Reason.LEVEL)


@given(
    st.frozensets(topics, min_size=1),
    levels,
    st.builds(
        Preferences,
        topics=st.lists(topics).map(tuple),
        min_level=levels,
        topic_levels=st.dictionaries(topics, levels),
    ),
)
def test_every_reader_and_alert(alert_topics: frozenset[str], level: Level, preferences: Preferences) -> None:
    assert decide(Audience(alert_topics, level), preferences, NOW) == plainly(alert_topics, str(level), preferences)


@pytest.mark.parametrize(
    ("alert", "preferences", "expected"),
    [
        (Audience({"world"}, Level.FLASH), Preferences(), OUTSIDE),
        (Audience({"world"}, Level.FLASH), Preferences(topics=("sport",)), OUTSIDE),
        (Audience({"world"}, Level.UPDATE), Preferences(topics=("world",)), SEND),
        (Audience({"world"}, Level.UPDATE), Preferences(topics=("world",), min_level=Level.BREAKING), SKIP_LEVEL),
        # A topic's own level beats the general one, both ways.
        (
            Audience({"world"}, Level.UPDATE),
            Preferences(topics=("world",), min_level=Level.FLASH, topic_levels={"world": Level.UPDATE}),
            SEND,
        ),
        (
            Audience({"world"}, Level.BREAKING),
            Preferences(topics=("world",), topic_levels={"world": Level.FLASH}),
            SKIP_LEVEL,
        ),
        # One followed topic that admits the level is enough.
        (
            Audience({"world", "sport"}, Level.BREAKING),
            Preferences(topics=("world", "sport"), topic_levels={"sport": Level.FLASH}),
            SEND,
        ),
        # A level for a topic that is not followed says nothing.
        (
            Audience({"world", "sport"}, Level.UPDATE),
            Preferences(topics=("sport",), min_level=Level.FLASH, topic_levels={"world": Level.UPDATE}),
            SKIP_LEVEL,
        ),
    ],
)
def test_the_contracts_cases(alert: Audience, preferences: Preferences, expected: Decision) -> None:
    assert decide(alert, preferences, NOW) == expected


@pytest.mark.parametrize(
    ("decision", "mark"), [(SEND, Mark.PENDING), (OUTSIDE, Mark.OUTSIDE), (SKIP_LEVEL, Mark.LEVEL)]
)
def test_each_decision_has_its_byte(decision: Decision, mark: Mark) -> None:
    assert planned(decision) is mark


def test_levels_admit_what_is_as_big_or_bigger() -> None:
    admitted = {(str(least), str(level)) for least in Level for level in Level if least.admits(level)}
    assert admitted == {(least, level) for at, least in enumerate(ORDER) for level in ORDER[at:]}
