"""Tocsin's own HTTP/2 against push services that come and go: nothing is lost, nothing is sent twice."""

import asyncio
import os
import shutil
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from push_scripted import Scripted, Visit
from push_wire import HOST, PushServer
from test_push_sender import envelope

from tocsin.domain.deliveries import Answer, Failure
from tocsin.push import http2_frames as h2
from tocsin.push.batch import Batch
from tocsin.push.guard import Guard
from tocsin.push.http2_connection import Request
from tocsin.push.http2_host import IDLE_SECONDS
from tocsin.push.http2_sender import Http2Sender
from tocsin.simulator.authority import Authority


@asynccontextmanager
async def opened(authority: Authority, *connect_to: str, **options: float) -> AsyncIterator[Http2Sender]:
    sender = Http2Sender(ca_bundle=authority.ca_file, guard=Guard(connect_to), **options)  # type: ignore[arg-type]
    try:
        yield sender
    finally:
        await sender.close()


def outcomes(answers: list[Answer]) -> Counter[int | str]:
    return Counter(answer.status or str(answer.failure) for answer in answers)


def goaway(last: int, code: int = h2.NO_ERROR) -> bytes:
    return h2.frame(h2.GOAWAY, 0, 0, h2.NUMBER.pack(last) + h2.NUMBER.pack(code))


async def test_after_goaway_the_rest_goes_elsewhere_and_nothing_twice(
    tls: ssl.SSLContext, authority: Authority
) -> None:
    def leave(visit: Visit) -> None:
        if visit.number > 1:
            visit.accept(visit.streams[-1])
        elif len(visit.streams) == 10:
            visit.accept(1, 3)
            visit.say(goaway(5))
            visit.accept(5)

    async with Scripted(tls, leave) as server, opened(authority, server.connect_to) as sender:
        answers = await sender.send([envelope(f"/p/{number}") for number in range(10)])
        assert outcomes(answers) == {201: 10}
        assert server.requests == [10, 7]
        assert outcomes(await sender.send([envelope()])) == {201: 1}
        assert server.requests == [10, 8]


async def test_what_a_leaving_peer_had_begun_is_not_sent_again(tls: ssl.SSLContext, authority: Authority) -> None:
    def leave(visit: Visit) -> None:
        if visit.number > 1:
            visit.accept(visit.streams[-1])
        elif len(visit.streams) == 10:
            visit.accept(1)
            visit.say(goaway(9))
            visit.close()

    async with Scripted(tls, leave) as server, opened(authority, server.connect_to) as sender:
        answers = await sender.send([envelope()] * 10)
        assert [answer.status for answer in answers] == [201, 0, 0, 0, 0, 201, 201, 201, 201, 201]
        assert {answer.failure for answer in answers[1:5]} == {Failure.BROKEN}
        assert server.requests == [10, 5]


async def test_a_peer_that_refuses_for_ever_is_not_asked_for_ever(tls: ssl.SSLContext, authority: Authority) -> None:
    def refuse(visit: Visit) -> None:
        visit.say(h2.frame(h2.RST_STREAM, 0, visit.streams[-1], h2.NUMBER.pack(h2.REFUSED_STREAM)))

    async with Scripted(tls, refuse) as server, opened(authority, server.connect_to) as sender:
        assert outcomes(await sender.send([envelope()] * 5)) == {"broken": 5}
        assert server.requests == [50]


async def test_a_connection_that_was_closed_meanwhile_is_not_used(tls: ssl.SSLContext, authority: Authority) -> None:
    def accept(visit: Visit) -> None:
        visit.accept(visit.streams[-1])

    async with Scripted(tls, accept) as server, opened(authority, server.connect_to) as sender:
        for turn in range(1, 4):
            assert outcomes(await sender.send([envelope()] * 3)) == {201: 3}
            assert server.requests == [3] * turn
            # No turn of the loop for the client to see it in: as for a worker between two jobs.
            (connection,) = sender._hosts[HOST]._connections
            asyncio.get_running_loop().remove_reader(connection._tls.socket)
            server.visits[-1].close() if turn % 2 else server.visits[-1].reset()
            await asyncio.sleep(0.02)


async def test_answers_that_came_before_the_connection_broke_count(tls: ssl.SSLContext, authority: Authority) -> None:
    def answer_and_go(visit: Visit) -> None:
        if len(visit.streams) == 4:
            visit.accept(1, 3, 5)
            visit.reset()

    async with Scripted(tls, answer_and_go) as server, opened(authority, server.connect_to) as sender:
        sending = asyncio.create_task(sender.send([envelope()] * 4))
        while not (host := sender._hosts.get(HOST)) or not host._connections:
            await asyncio.sleep(0)
        (connection,) = host._connections
        asyncio.get_running_loop().remove_reader(connection._tls.socket)
        while server.requests != [4]:
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        # Another request is written before what has come is read.
        late = Batch(1, None)
        one = envelope()
        connection.take(deque([Request(late, 0, b"/p", ("", 0, "low", None), one)]))
        assert outcomes(await sending) == {201: 3, "broken": 1}
        await late.done
        assert late.answers[0].failure is Failure.BROKEN


async def test_after_a_breach_libcurl_has_the_host(
    tls: ssl.SSLContext, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_once(visit: Visit) -> None:
        if visit.number > 1:
            visit.accept(visit.streams[-1])
        elif len(visit.streams) == 2:
            visit.accept(1)
            visit.say(h2.frame(h2.PING, 0, 0, bytes(7)))

    async with Scripted(tls, break_once) as server, opened(authority, server.connect_to) as sender:
        assert outcomes(await sender.send([envelope("/secret")] * 2)) == {201: 1, "broken": 1}
        for _ in range(2):
            assert outcomes(await sender.send([envelope("/secret")] * 5)) == {201: 5}
        assert (sender._counts.requests, sender._curl.requests, sender.requests) == (2, 10, 12)
        assert server.requests == [2, 10]
    output = "".join(capsys.readouterr())
    assert output.count("left to libcurl") == 1
    assert "secret" not in output


async def test_what_a_peer_at_odds_did_not_look_at_goes_by_libcurl(tls: ssl.SSLContext, authority: Authority) -> None:
    def complain(visit: Visit) -> None:
        if visit.number > 1:
            visit.accept(visit.streams[-1])
        elif len(visit.streams) == 3:
            visit.say(goaway(1, h2.PROTOCOL_ERROR))

    async with Scripted(tls, complain) as server, opened(authority, server.connect_to, request_seconds=1) as sender:
        answers = await sender.send([envelope()] * 3)
        assert [answer.status for answer in answers] == [0, 201, 201]
        assert server.requests == [3, 2]
        assert sender._curl.requests == 2


async def test_a_peer_that_says_no_settings_is_given_up(tls: ssl.SSLContext, authority: Authority) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0, ssl=tls)
    async with server, opened(authority, f"{HOST}:443:127.0.0.1:{port_of(server)}", connect_seconds=0.2) as sender:
        assert outcomes(await sender.send([envelope()])) == {"timeout": 1}


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def test_idle_connections_are_closed(server: PushServer, authority: Authority) -> None:
    async with opened(authority, server.connect_to, host_connections=3, streams=10) as sender:
        await sender.send([envelope()] * 100)
        host = sender._hosts[HOST]
        assert len(host._connections) == 3
        host.rest(asyncio.get_running_loop().time() + IDLE_SECONDS + 1)
        assert not host._connections
        assert outcomes(await sender.send([envelope()])) == {201: 1}


async def test_a_silent_connection_gets_no_more_requests(tls: ssl.SSLContext, authority: Authority) -> None:
    """As when a router has forgotten it: TCP itself would try for a quarter of an hour."""

    def answer_elsewhere(visit: Visit) -> None:
        if visit.number > 1:
            visit.accept(visit.streams[-1])

    async with (
        Scripted(tls, answer_elsewhere) as server,
        opened(authority, server.connect_to, request_seconds=0.5) as sender,
    ):
        assert outcomes(await sender.send([envelope()])) == {"timeout": 1}
        assert outcomes(await sender.send([envelope()])) == {201: 1}
        assert server.requests == [1, 1]


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log error;
events {{}}
http {{
  access_log {folder}/access.log; keepalive_requests 50; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen unix:{folder}/unused; listen 127.0.0.1:{port} ssl http2; ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ return 201 ""; }}
  }}
}}
"""


def nginx() -> str:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or ""


@pytest.mark.skipif(not nginx() and "CI" not in os.environ, reason="nginx is not installed")
async def test_nginx_that_leaves_again_and_again_gets_each_message_once(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue(HOST)
    async with PushServer(authority.server_context(HOST)) as probe:
        port = probe.port
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, port=port, certificate=certificate, key=key))
    process = await asyncio.create_subprocess_exec(
        nginx(), "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "nginx.conf")
    )
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert process.returncode is None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        async with opened(authority, f"{HOST}:443:127.0.0.1:{port}") as sender:
            for turn in range(4):
                answers = await sender.send([envelope(f"/{turn}/{number}") for number in range(250)])
                assert outcomes(answers) == {201: 250}
            assert sender.connections >= 20
    finally:
        process.terminate()
        await process.wait()
    paths = Counter(line.split('"')[1].split()[1] for line in (tmp_path / "access.log").read_text().splitlines())
    assert len(paths) == 1_000
    assert set(paths.values()) == {1}


async def test_what_libcurl_cannot_even_begin_is_answered(tls: ssl.SSLContext, authority: Authority) -> None:
    async with (
        Scripted(tls, lambda visit: visit.accept(visit.streams[-1])) as server,
        opened(authority, server.connect_to, request_seconds=5) as sender,
    ):
        odd = envelope()._replace(url="https://ex\u00e4mple.invalid/x")
        async with asyncio.timeout(4):
            answers = await sender.send([odd, envelope()])
        assert [(answer.status, answer.failure) for answer in answers] == [(0, Failure.BROKEN), (201, None)]
