"""The sender against everything that a push service, or whoever poses as one, can do to it."""

import asyncio
import logging
import socket
from pathlib import Path

import pytest
from push_browser import AnySender, MakeSender
from push_wire import HOST, Manner, PushServer, Reply
from test_push_sender import envelope

from tocsin.domain.deliveries import Answer, Failure, Outcome, classify
from tocsin.push.answers import MAX_DETAIL
from tocsin.simulator.authority import Authority


def only(answers: list[Answer]) -> tuple[int, Failure | None]:
    (answer,) = answers
    return answer.status, answer.failure


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_answers_and_not_followed(server: PushServer, sender: AnySender, status: int) -> None:
    server.replies["/p/1"] = Reply(status, {"location": f"https://{HOST}/p/2"})
    assert only(await sender.send([envelope()])) == (status, None)
    assert [request.path for request in server.requests] == ["/p/1"]


async def test_an_endless_body_is_cut_and_the_connection_lives(server: PushServer, sender: AnySender) -> None:
    server.replies["/endless"] = Reply(503, manner=Manner.ENDLESS)
    (answer,) = await sender.send([envelope("/endless")])
    assert (answer.status, answer.failure, len(answer.detail)) == (503, None, MAX_DETAIL)
    await server.abandoned(1)
    assert only(await sender.send([envelope()])) == (201, None)
    assert server.connections == 1


async def test_an_endless_body_is_cut_over_http1(authority: Authority, make_sender: MakeSender) -> None:
    context = authority.server_context(HOST)
    context.set_alpn_protocols(["http/1.1"])
    async with PushServer(context) as server, make_sender(server.connect_to) as sender:
        server.replies["/endless"] = Reply(201, manner=Manner.ENDLESS)
        (answer,) = await sender.send([envelope("/endless")])
        assert (answer.status, answer.failure, len(answer.detail)) == (201, None, MAX_DETAIL)


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_a_status_stands_though_the_body_breaks_off(
    authority: Authority, make_sender: MakeSender, protocol: str
) -> None:
    context = authority.server_context(HOST)
    context.set_alpn_protocols([protocol])
    async with PushServer(context) as server, make_sender(server.connect_to) as sender:
        server.replies["/p/1"] = Reply(201, manner=Manner.CUT)
        assert only(await sender.send([envelope()])) == (201, None)


async def test_a_body_that_is_no_text_does_no_harm(server: PushServer, sender: AnySender) -> None:
    server.replies["/p/1"] = Reply(500, body=b"\xff\xfe\0bad")
    (answer,) = await sender.send([envelope()])
    assert answer.detail == "\ufffd\ufffd\0bad"


async def test_retry_after_is_read_whatever_its_case(authority: Authority, make_sender: MakeSender) -> None:
    context = authority.server_context(HOST)
    context.set_alpn_protocols(["http/1.1"])
    async with PushServer(context) as server, make_sender(server.connect_to) as sender:
        for text, seconds in (("9", 9), ("99999", 3_600), ("Sun, 01 Mar 2020 12:00:00 GMT", 0), ("soon", None)):
            server.replies["/p/1"] = Reply(429, {"RETRY-After": text})
            assert (await sender.send([envelope()]))[0].retry_after == seconds


async def test_a_silent_server_is_given_up(server: PushServer, make_sender: MakeSender) -> None:
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    async with make_sender(server.connect_to, request_seconds=0.2) as sender:
        assert only(await sender.send([envelope("/hang")])) == (0, Failure.TIMEOUT)
        await server.abandoned(1)
        assert only(await sender.send([envelope()])) == (201, None)


async def test_a_server_that_never_says_hello_is_given_up(make_sender: MakeSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        connect_to = f"{HOST}:443:127.0.0.1:{mute.getsockname()[1]}"
        async with make_sender(connect_to, connect_seconds=0.2) as sender:
            assert only(await sender.send([envelope()])) == (0, Failure.TIMEOUT)


async def test_a_reset_breaks_all_on_that_connection(server: PushServer, sender: AnySender) -> None:
    server.replies["/reset"] = Reply(manner=Manner.RESET)
    assert only(await sender.send([envelope("/reset")])) == (0, Failure.BROKEN)
    assert only(await sender.send([envelope()])) == (201, None)
    assert server.connections >= 2


async def test_a_closed_port(make_sender: MakeSender, closed_port: int) -> None:
    async with make_sender(f"{HOST}:443:127.0.0.1:{closed_port}") as sender:
        answers = await sender.send([envelope()] * 3)
        assert {(answer.status, answer.failure) for answer in answers} == {(0, Failure.CONNECT)}


async def test_a_certificate_for_another_name(authority: Authority, make_sender: MakeSender) -> None:
    async with PushServer(authority.server_context("wrong.example")) as server:
        async with make_sender(server.connect_to) as sender:
            assert only(await sender.send([envelope()])) == (0, Failure.TLS)
        assert not server.requests


async def test_an_expired_certificate(authority: Authority, make_sender: MakeSender) -> None:
    async with (
        PushServer(authority.server_context(HOST, expired=True)) as server,
        make_sender(server.connect_to) as sender,
    ):
        assert only(await sender.send([envelope()])) == (0, Failure.TLS)


async def test_a_certificate_of_an_unknown_authority(
    server: PushServer, make_sender: MakeSender, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path).ca_file
    async with make_sender(server.connect_to, ca_bundle=stranger) as sender:
        assert only(await sender.send([envelope()])) == (0, Failure.TLS)


async def test_a_name_that_does_not_resolve(make_sender: MakeSender) -> None:
    async with make_sender() as sender:
        assert only(await sender.send([envelope(url="https://push.nobody.invalid/1")])) == (0, Failure.DNS)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"])
async def test_no_address_of_our_own_is_reached(server: PushServer, make_sender: MakeSender, host: str) -> None:
    async with make_sender() as sender:
        (answer,) = await sender.send([envelope(url=f"https://{host}:{server.port}/p/1")])
    assert (answer.status, answer.failure) == (0, Failure.REFUSED_ADDRESS)
    assert classify(answer).outcome is Outcome.REJECTED
    assert server.connections == 0


@pytest.mark.parametrize("url", [f"http://{HOST}/p/1", "ftp://127.0.0.1/p", "file:///etc/passwd", "https://", ""])
async def test_nothing_but_https_is_spoken(server: PushServer, sender: AnySender, url: str) -> None:
    assert only(await sender.send([envelope(url=url)])) == (0, Failure.REFUSED_ADDRESS)
    assert not server.requests


async def test_proxies_in_the_environment_are_ignored(
    server: PushServer, make_sender: MakeSender, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    async with make_sender(server.connect_to) as sender:
        assert only(await sender.send([envelope()])) == (201, None)


async def test_one_services_silence_does_not_hold_up_another(
    server: PushServer, authority: Authority, make_sender: MakeSender
) -> None:
    async with PushServer(authority.server_context("web.push.apple.com")) as other:
        other_target = f"web.push.apple.com:443:127.0.0.1:{other.port}"
        async with make_sender(server.connect_to, other_target, host_connections=1, streams=10) as sender:
            other.replies["/hang"] = Reply(manner=Manner.HANG)
            silent = asyncio.create_task(sender.send([envelope(url="https://web.push.apple.com/hang")] * 50))
            await other.received(10)
            assert {answer.status for answer in await sender.send([envelope()] * 50)} == {201}
            assert not silent.done()
            silent.cancel()
            await asyncio.wait([silent])


async def test_endpoints_are_not_logged(
    server: PushServer, sender: AnySender, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server.replies["/secret-reset"] = Reply(manner=Manner.RESET)
    with caplog.at_level(logging.DEBUG):
        await sender.send([envelope("/secret"), envelope("/secret-reset"), envelope(url="https://127.0.0.1/secret")])
    # The tests' own server logs what it decodes; what is ours says nothing at all.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("hpack", "h2"))]
    output = capfd.readouterr()
    assert "secret" not in "".join(ours) + output.out + output.err


async def test_addresses_are_tried_in_turn(server: PushServer, make_sender: MakeSender) -> None:
    """`localhost` is ::1 and 127.0.0.1 on most machines; the server has only the second."""
    async with make_sender(server.connect_to.replace("127.0.0.1", "localhost")) as sender:
        assert only(await sender.send([envelope()])) == (201, None)


async def test_what_waited_for_a_stream_is_dropped_on_cancel(server: PushServer, make_sender: MakeSender) -> None:
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    async with make_sender(server.connect_to, host_connections=1, streams=2) as sender:
        stuck = asyncio.create_task(sender.send([envelope("/hang"), envelope("/hang"), *[envelope("/late")] * 3]))
        await server.received(2)
        stuck.cancel()
        await asyncio.wait([stuck])
        assert only(await sender.send([envelope()])) == (201, None)
        assert [request.path for request in server.requests] == ["/hang", "/hang", "/p/1"]


async def test_nothing_starts_later_than_the_time_to_connect(server: PushServer, make_sender: MakeSender) -> None:
    """G5: a stop ends what waits for a stream by its time, whatever the others on the connection take."""
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    async with make_sender(
        server.connect_to, host_connections=1, streams=1, connect_seconds=0.2, request_seconds=0.6
    ) as sender:
        answers = await sender.send([envelope("/hang"), envelope("/late")])
        assert [answer.failure for answer in answers] == [Failure.TIMEOUT] * 2
        assert answers[1].seconds < 0.5 < answers[0].seconds
        assert [request.path for request in server.requests] == ["/hang"]
