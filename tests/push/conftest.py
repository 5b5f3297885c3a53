"""A push service of the tests' own on real TLS, its certificate authority, and a browser's keys."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from push_browser import AnySender, Browser, MakeSender
from push_wire import HOST, PushServer

from tocsin.push.curl_sender import CurlSender
from tocsin.push.guard import Guard
from tocsin.push.http2_sender import Http2Sender
from tocsin.simulator.authority import Authority


@pytest.fixture(scope="session")
def browser() -> Browser:
    return Browser(generate_private_key(SECP256R1()), bytes(range(16)))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls(authority: Authority) -> ssl.SSLContext:
    return authority.server_context(HOST)


@pytest.fixture
async def server(tls: ssl.SSLContext) -> AsyncIterator[PushServer]:
    async with PushServer(tls) as server:
        yield server


@pytest.fixture(scope="session", params=[CurlSender, Http2Sender])
def sender_class(request: pytest.FixtureRequest) -> type[AnySender]:
    """What holds of one sender holds of the other."""
    return request.param


@pytest.fixture(scope="session")
def make_sender(authority: Authority, sender_class: type[AnySender]) -> MakeSender:
    """`make_sender("host:port:host:port", …, option=value)`: a sender that trusts the tests' authority."""

    @asynccontextmanager
    async def make(*connect_to: str, ca_bundle: Path | None = None, **options: object) -> AsyncIterator[AnySender]:
        sender = sender_class(ca_bundle=ca_bundle or authority.ca_file, guard=Guard(connect_to), **options)
        try:
            yield sender
        finally:
            await sender.close()

    return make


@pytest.fixture
async def sender(server: PushServer, make_sender: MakeSender) -> AsyncIterator[AnySender]:
    async with make_sender(server.connect_to) as sender:
        yield sender
