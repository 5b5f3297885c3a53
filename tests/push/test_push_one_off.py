"""One push to one browser, as a reader's own test sends it."""

from datetime import UTC, datetime
from pathlib import Path

import http_ece
import pytest
from push_browser import AnySender, Browser
from push_wire import HOST, PushServer, Reply

from tocsin.domain.errors import TooLarge
from tocsin.domain.subscriptions import Record
from tocsin.push.one_off import push_once
from tocsin.push.vapid import ApplicationServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def application(tmp_path: Path) -> ApplicationServer:
    return ApplicationServer.load_or_make(tmp_path / "vapid.pem", "mailto:desk@news.example")


@pytest.fixture
def record(browser: Browser) -> Record:
    return Record(f"https://{HOST}/p/1", browser.p256dh, browser.auth, b"\0" * 4, 0)


async def test_the_browser_reads_it(
    server: PushServer, sender: AnySender, application: ApplicationServer, record: Record, browser: Browser
) -> None:
    answer = await push_once(sender, application, record, b'{"web_push":8030}', ttl=60, urgency="high", now=NOW)
    assert answer.status == 201
    (request,) = server.requests
    plain = http_ece.decrypt(
        request.body, private_key=browser.private_key, auth_secret=browser.auth, version="aes128gcm"
    )
    assert plain == b'{"web_push":8030}'
    assert request.headers["authorization"] == application.authorization(f"https://{HOST}", NOW)
    assert (request.headers["ttl"], request.headers["urgency"]) == ("60", "high")
    assert "topic" not in request.headers


async def test_a_refusal_is_an_answer(
    server: PushServer, sender: AnySender, application: ApplicationServer, record: Record
) -> None:
    server.replies["/p/1"] = Reply(410)
    assert (await push_once(sender, application, record, b"x", ttl=0, urgency="high", now=NOW)).status == 410


async def test_too_large_is_refused_before_it_is_split(
    server: PushServer, sender: AnySender, application: ApplicationServer, record: Record
) -> None:
    with pytest.raises(TooLarge, match="3,993"):
        await push_once(sender, application, record, b"x" * 3_994, ttl=0, urgency="high", now=NOW)
    assert not server.requests
    assert (await push_once(sender, application, record, b"x" * 3_993, ttl=0, urgency="high", now=NOW)).status == 201
    assert len(server.requests[0].body) <= 4_096
