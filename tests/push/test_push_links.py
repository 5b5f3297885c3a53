"""Whether a page is there, asked of a real TLS server; and that a link opens nothing inside our own network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from newsroom import HOST, SITE, Newsroom
from tocsin.push.guard import Guard
from tocsin.push.links import Links
from tocsin.push.trust import system_roots


@asynccontextmanager
async def links_to(*connect_to: str, ca_bundle: Path) -> AsyncIterator[Links]:
    links = Links(ca_bundle=ca_bundle, guard=Guard(connect_to))
    try:
        yield links
    finally:
        await links.close()


@pytest.fixture
async def links(newsroom: Newsroom) -> AsyncIterator[Links]:
    async with links_to(newsroom.connect_to, ca_bundle=newsroom.ca_file) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/200", "/204", "/hop/2", "/get/200", f"/to?url={SITE}/200", "/200?a=b#place"])
async def test_a_page_that_is_there(links: Links, path: str) -> None:
    assert await links.fault(SITE + path) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/404", "answers 404"),
        ("/410", "answers 410"),
        ("/503", "answers 503"),
        ("/get/404", "answers 404"),
        ("/to?url=/403", "answers 403"),
        ("/hop/3", "redirects more than 3 times"),
        ("/to?url=https://nobody.invalid/", "cannot be found"),
        ("/to?url=http://news.example.com/", "away from https"),
        ("/to?url=file:///etc/passwd", "away from https"),
    ],
)
async def test_a_page_that_is_not(links: Links, path: str, words: str) -> None:
    assert words in (await links.fault(SITE + path) or "")


async def test_the_page_itself_is_asked_for_only_where_its_head_is_not_to_be_had(
    links: Links, newsroom: Newsroom
) -> None:
    await links.fault(f"{SITE}/200")
    await links.fault(f"{SITE}/get/200")

    assert newsroom.asked == {"HEAD /200": 1, "HEAD /get/200": 1, "GET /get/200": 1}


async def test_a_page_without_end_is_there_after_a_few_bytes(links: Links) -> None:
    """Read on, it would be given up as one that does not answer in time."""
    assert await links.fault(f"{SITE}/endless") is None


async def test_one_that_does_not_answer_is_given_up_in_time_and_holds_up_no_other(
    links: Links, newsroom: Newsroom
) -> None:
    slow = asyncio.create_task(links.fault(f"{SITE}/slow/200"))

    assert await links.fault(f"{SITE}/200") is None
    assert not slow.done()
    assert await slow == "does not answer within 2 s"


async def test_a_server_that_nobody_vouches_for_or_that_is_not_there(newsroom: Newsroom) -> None:
    other = f"other.example.com:443:127.0.0.1:{newsroom.port}"
    async with links_to(newsroom.connect_to, other, ca_bundle=newsroom.ca_file) as links:
        assert "certificate" in (await links.fault("https://other.example.com/200") or "")
    async with links_to(newsroom.connect_to, ca_bundle=system_roots()) as links:
        assert "certificate" in (await links.fault(f"{SITE}/200") or "")
    async with links_to(f"{HOST}:443:127.0.0.1:1", ca_bundle=newsroom.ca_file) as links:
        assert "refuses connections" in (await links.fault(f"{SITE}/200") or "")


@pytest.fixture
async def inside() -> AsyncIterator[tuple[int, list[str]]]:
    """A service of our own network: its port, and who connected to it."""
    came: list[str] = []

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("somebody")
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


async def test_nothing_inside_our_network_is_opened(links: Links, inside: tuple[int, list[str]]) -> None:
    port, came = inside
    aims = [f"https://127.0.0.1:{port}/", f"https://localhost:{port}/", f"https://[::ffff:127.0.0.1]:{port}/"]
    aims += ["https://127.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/"]

    for aim in aims:
        for link in (aim, f"{SITE}/to?url={aim}"):
            assert "not public" in (await links.fault(link) or ""), link
    assert came == []


@pytest.mark.parametrize(("port", "admitted"), [(443, True), (80, False), (8443, False), (22, False)])
def test_on_a_public_address_only_https_is_opened(port: int, admitted: bool) -> None:
    assert Guard().admits_https("8.8.8.8", port) is admitted
    assert not Guard().admits_https("10.0.0.1", port)


async def test_closing_gives_up_what_is_under_way(newsroom: Newsroom) -> None:
    async with links_to(newsroom.connect_to, ca_bundle=newsroom.ca_file) as links:
        slow = asyncio.create_task(links.fault(f"{SITE}/slow/200"))
        async with asyncio.timeout(5):
            while not newsroom.asked:
                await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await slow
