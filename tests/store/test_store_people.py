"""API keys, readers' tokens and topics."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from samples import NOW, POINT
from tocsin.domain.errors import NotFound
from tocsin.domain.roles import Role
from tocsin.domain.subscriptions import Record
from tocsin.domain.topics import Topic, parse_topics
from tocsin.store.api_keys import Caller
from tocsin.store.store import Store
from tocsin.store.tokens import TokenSecret

EDITOR = frozenset({Role.EDITOR})
RECORD = Record("https://fcm.googleapis.com/send/one", POINT, bytes(16), b"vkey", 1)


async def test_a_key_proves_its_holder(store: Store) -> None:
    key, text = await store.api_keys.make("The desk", EDITOR, NOW)
    assert await store.api_keys.find(text) == Caller(key.id, "The desk", EDITOR)
    assert (await store.api_keys.all()) == [key]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.upper(),
        lambda text: text.replace("tk_", "xx_", 1),
        lambda text: "tk_000000000000_" + text.rpartition("_")[2],
        lambda text: "_".join(text.split("_")[:2]),
        lambda text: "_".join(text.split("_")[:2]) + "_",
        lambda text: text[:-1] + "\udcff",
        lambda text: text.replace("_", "_\udcff", 1),
        lambda _: "",
        lambda _: "tk",
        lambda _: "tk__",
    ],
)
async def test_no_other_text_does(store: Store, spoil: object) -> None:
    _, text = await store.api_keys.make("The desk", EDITOR, NOW)
    assert await store.api_keys.find(spoil(text)) is None  # type: ignore[operator]


async def test_who_holds_a_copy_of_the_store_has_no_key(store: Store) -> None:
    _, text = await store.api_keys.make("The desk", EDITOR, NOW)
    secret = text.split("_", 2)[2].encode()
    await store.api_keys.find(text)
    kept = b""
    async for key in store.server.redis.scan_iter():
        kept += key + (await store.server.redis.dump(key) or b"")
    for row in await store.server.redis.hvals("{keys}:by-id"):
        kept += row
    assert b"The desk" in kept
    assert secret not in kept


async def test_keys_are_told_apart_and_taken_back(store: Store) -> None:
    made = [await store.api_keys.make(f"Key {at}", EDITOR, NOW + timedelta(seconds=at)) for at in range(3)]
    assert len({text for _, text in made}) == 3

    await store.api_keys.delete(made[1][0].id)

    assert [key.name for key in await store.api_keys.all()] == ["Key 0", "Key 2"]
    assert await store.api_keys.find(made[1][1]) is None
    with pytest.raises(NotFound):
        await store.api_keys.delete(made[1][0].id)


async def test_a_browser_gets_the_same_token_again_from_any_process(store: Store) -> None:
    secrets = [TokenSecret(store.server) for _ in range(20)]
    tokens = set(await asyncio.gather(*(secret.token(RECORD) for secret in secrets)))
    (token,) = tokens
    assert len(token) == 43
    assert await store.token_secret.proves(token, RECORD)


async def test_no_other_browsers_token_will_do_nor_an_old_one(store: Store) -> None:
    token = await store.token_secret.token(RECORD)
    for other in (replace(RECORD, endpoint=RECORD.endpoint + "x"), replace(RECORD, token_counter=1)):
        assert await store.token_secret.token(other) != token
        assert not await store.token_secret.proves(token, other)
    # Keys that the browser renewed do not make it another one.
    assert await store.token_secret.proves(token, replace(RECORD, auth=b"a" * 16, vapid_key_id=b"new!"))


@pytest.mark.parametrize("token", ["", "x", "é", "\udcff" * 43, "A" * 43])
async def test_what_is_no_token_proves_nothing(store: Store, token: str) -> None:
    assert not await store.token_secret.proves(token, RECORD)


async def test_another_sites_secret_makes_other_tokens(store: Store) -> None:
    token = await store.token_secret.token(RECORD)
    await store.server.redis.flushall()
    assert await TokenSecret(store.server).token(RECORD) != token


async def test_topics_keep_their_order(store: Store) -> None:
    assert await store.topics.all() == ()
    await store.topics.set_first(parse_topics("world:World,sport:Sport"))
    await store.topics.set_first(parse_topics("other:Other"))
    assert [topic.id for topic in await store.topics.all()] == ["world", "sport"]
    assert (await store.topics.default_preferences()).topics == ("world",)

    await store.topics.replace([Topic(id="b", name="B", default=True), Topic(id="a", name="A", default=True)])

    assert [topic.id for topic in await store.topics.all()] == ["b", "a"]
    assert await store.topics.ids() == {"a", "b"}
    assert (await store.topics.default_preferences()).topics == ("a", "b")


async def test_an_empty_list_of_topics_is_a_choice(store: Store) -> None:
    await store.topics.replace([])
    await store.topics.set_first(parse_topics("world:World"))
    assert await store.topics.all() == ()
