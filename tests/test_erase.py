"""Whoever leaves is found nowhere any more: in no server, in no file of the store, in no log of a whole Tocsin."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tocsin.domain.subscriptions import parse_public_id
from tocsin.simulator.models import BrowserView
from tocsin.store.client import Server
from town import WAIT_SECONDS, Town, open_town

ASKS = {"receipts": "individual", "consent_text": "May we?", "consent_text_version": "1"}
SECOND = 1 / 3_600


@pytest.fixture(scope="module")
async def forgetful(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    given = {"erase_hours": f"{SECOND:.5f}", "subscribe_rate": "99/day", **ASKS}
    async with open_town(tmp_path_factory.mktemp("forgetful"), **given) as town:
        yield town


async def join(town: Town, view: BrowserView, **more: Any) -> dict[str, Any]:
    body = {"subscription": view.subscription.model_dump(mode="json"), "consent": {"text_version": "1"}, **more}
    status, registered = await town.call("POST", "/v1/subscriptions", body)
    assert status == 201, registered
    return registered


async def live(town: Town, registered: dict[str, Any], alert: str) -> None:
    """All that a reader can do before it leaves."""
    path, token = f"/v1/subscriptions/{registered['id']}", {"Authorization": f"Bearer {registered['token']}"}
    changes = {"snoozed_until": None, "muted_stories": ["budget"], "daily_cap": {"count": 9}}
    calls = [
        ("PATCH", f"{path}/preferences", changes),
        ("GET", path, None),
        ("GET", f"{path}/history", None),
        ("GET", f"{path}/export", None),
        ("POST", f"{path}/test", {}),
    ]
    for method, where, body in calls:
        status, answer = await town.call(method, where, body or None, token)
        assert status == 200, (where, answer)
    told = {"alert": alert, "event": "shown", "subscription": registered["id"], "token": registered["token"]}
    assert (await town.call("POST", "/v1/receipts", told))[0] == 204


def traces(view: BrowserView, registered: dict[str, Any]) -> dict[str, bytes]:
    """Whatever would tell of this browser, in each form that it might be written in."""
    endpoint, keys = view.subscription.endpoint, view.subscription.keys.model_dump()
    found = {"token": registered["token"].encode(), "id": registered["id"].encode()}
    digest = parse_public_id(registered["id"])
    assert digest
    found |= {"digest": digest, "digest in hex": digest.hex().encode()}
    found |= {"endpoint": endpoint.encode(), "its last part": endpoint.rpartition("/")[2].encode()}
    for name, text in keys.items():
        found[f"{name} as text"] = text.rstrip("=").encode()
        found[name] = base64.urlsafe_b64decode(text + "==")[-16:]
    return found


async def everything(url: str) -> bytes:
    """All keys and values of a server, as they are."""
    server, whole = Server(url), b""
    async for key in server.redis.scan_iter(count=1_000):
        match (await server.redis.type(key)).decode():
            case "string":
                rows: Any = await server.redis.get(key)
            case "hash":
                rows = await server.redis.hgetall(key)
                rows = b"\n".join(part for row in rows.items() for part in row)
            case "set":
                rows = b"\n".join(await server.redis.smembers(key))
            case "zset":
                rows = b"\n".join(await server.redis.zrange(key, 0, -1))
            case "list":
                rows = b"\n".join(await server.redis.lrange(key, 0, -1))
            case other:
                raise AssertionError(f"nobody looks into a {other}")
        whole += key + b"\n" + (rows or b"") + b"\n"
    await server.close()
    return whole


def files(town: Town) -> list[Path]:
    """All that the town wrote. What its simulated push services know is theirs."""
    roots = {town.folder, town.settings.data_dir}
    return [path for root in roots for path in root.rglob("*") if path.is_file() and "simulator" not in str(path)]


async def found(town: Town, sought: dict[str, bytes]) -> set[str]:
    """Where any of it is."""
    settings = town.settings
    places = {name: await everything(getattr(settings, name)) for name in ("store", "broker", "prekey_server")}
    places |= {str(path.relative_to(path.anchor)): path.read_bytes() for path in files(town) if path.exists()}
    return {f"{what} in {place}" for place, held in places.items() for what, text in sought.items() if text in held}


async def leave(town: Town, view: BrowserView, registered: dict[str, Any]) -> None:
    token = {"Authorization": f"Bearer {registered['token']}"}
    status, _ = await town.call("DELETE", f"/v1/subscriptions/{registered['id']}", headers=token)
    assert status == 204


async def be_erased(town: Town, view: BrowserView, registered: dict[str, Any]) -> None:
    """By the operator; its page would bring it back."""
    words = ("-m", "tocsin.cli.main", "subscriptions", "erase", registered["id"])
    command = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={**os.environ, **town.environment}, cwd=town.folder
    )
    assert await command.wait() == 0
    body = {"subscription": view.subscription.model_dump(mode="json")}
    status, problem = await town.call("POST", "/v1/subscriptions", body)
    assert (status, problem["code"]) == (410, "ended")


@pytest.mark.parametrize("goes", [leave, be_erased])
async def test_nothing_of_a_browser_that_left_is_left(
    forgetful: Town, goes: Callable[[Town, BrowserView, dict[str, Any]], Awaitable[None]]
) -> None:
    town = forgetful
    _, site = await town.call("GET", "/v1/site")
    stays, old, new = await town.simulator.create_browsers(3, "fcm", site["application_server_key"])
    await join(town, stays)
    before = await join(town, old, preferences={"topics": ["world"]})
    alert = await town.ended((await town.send())["id"])
    await live(town, before, alert["id"])
    after = await join(town, new, replaces={"id": before["id"], "token": before["token"]})
    await live(town, after, (await town.ended((await town.send(headline="Another"))["id"]))["id"])
    sought = {f"old {what}": text for what, text in traces(old, before).items()}
    sought |= {f"new {what}": text for what, text in traces(new, after).items()}
    held = await found(town, sought)
    assert any(where.startswith("new endpoint in store") for where in held)
    assert any("appendonly" in where for where in held), "the log is looked into"

    await goes(town, new, after)

    async with asyncio.timeout(WAIT_SECONDS):
        while left := await found(town, sought):
            assert not [where for where in left if where.endswith(("in store", "in broker", "in prekey_server"))]
            await asyncio.sleep(0.2)
    assert await found(town, {"endpoint": stays.subscription.endpoint.encode()}), "who stays is still there"


async def test_no_address_is_kept(forgetful: Town) -> None:
    """Readers are counted by a keyed hash of their address."""
    await forgetful.subscribe(1)
    held = await found(forgetful, {"address": b"127.0.0.1"})
    assert not [where for where in held if where.endswith(" in store")]
    assert await found(forgetful, {"rate": b"/subscribe/"}), "somebody was counted"
