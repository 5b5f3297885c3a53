"""The setting TOPICS, and who may do what."""

import pytest
from pydantic import ValidationError

from tocsin.domain.errors import Conflict, Misconfigured, NotFound
from tocsin.domain.roles import Role, holds
from tocsin.domain.topics import MAX_TOPICS, Topic, parse_topics, with_topic, without_topic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("world:World news", [("world", "World news", True)]),
        (
            "world:World, sport: Sport: live ,culture",
            [("world", "World", True), ("sport", "Sport: live", False), ("culture", "Culture", False)],
        ),
        ("a-1:", [("a-1", "A-1", True)]),
        ("welt:Überblick", [("welt", "Überblick", True)]),
    ],
)
def test_topics_in_their_order_and_the_first_is_the_default(text: str, expected: list[tuple[str, str, bool]]) -> None:
    assert [(topic.id, topic.name, topic.default) for topic in parse_topics(text)] == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("World:World", "World"),
        ("world:World,:Sport", ":Sport"),
        ("-x:X", "-x:X"),
        ("wor ld:World", "wor ld"),
        ("w" * 41, "wwww"),
        ("world:One,world:Two", "twice"),
        ("world:" + "x" * 61, "world"),
        (",".join(f"t{number}" for number in range(MAX_TOPICS + 1)), "201"),
    ],
)
def test_a_mistake_is_told_with_its_entry(text: str, named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        parse_topics(text)


@pytest.mark.parametrize(
    "fields",
    [{"id": "World", "name": "x"}, {"id": "world", "name": ""}, {"id": "world", "name": "x", "description": "x" * 201}],
)
def test_what_is_no_topic(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Topic.model_validate(fields)


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize(
    "held", [frozenset(), *(frozenset({role}) for role in Role), frozenset({Role.EDITOR, Role.OPS})]
)
def test_a_role_is_held_or_is_admins(held: frozenset[Role], needed: Role) -> None:
    drafts_too = needed is Role.REPORTER and Role.EDITOR in held  # whoever may send may draft as well
    assert holds(held, needed) is (needed in held or Role.ADMIN in held or drafts_too)


def test_an_editor_is_not_ops_and_a_reporter_is_nothing_else() -> None:
    assert not holds(frozenset({Role.EDITOR}), Role.OPS)
    assert not holds(frozenset({Role.REPORTER}), Role.EDITOR)


def test_a_topic_is_changed_in_its_place_and_a_new_one_goes_to_the_end() -> None:
    topics = parse_topics("world:World,sport:Sport")

    changed = with_topic(with_topic(topics, Topic(id="world", name="The World")), Topic(id="city", name="City"))

    assert [topic.name for topic in changed] == ["The World", "Sport", "City"]
    assert without_topic(changed, "sport") == (changed[0], changed[2])
    with pytest.raises(NotFound):
        without_topic(changed, "opera")
    with pytest.raises(Conflict, match="last"):
        without_topic(changed[:1], "world")


def test_one_topic_too_many_is_refused_and_a_change_of_those_there_is_not() -> None:
    most = tuple(Topic(id=f"t{number}", name="T") for number in range(MAX_TOPICS))

    with pytest.raises(Conflict, match="200"):
        with_topic(most, Topic(id="one-more", name="T"))
    assert with_topic(most, Topic(id="t9", name="Nine"))[9].name == "Nine"
