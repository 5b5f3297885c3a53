"""The sender against a real TLS server: what it sends, how it shares connections, and how it ends."""

import asyncio
import gc
import os
import ssl
import warnings

import pytest
from push_browser import AnySender, MakeSender
from push_wire import HOST, Manner, PushServer, Reply

from tocsin.domain.deliveries import Answer, Failure
from tocsin.push import curl_sender, http2_sender
from tocsin.push.http2_sender import Http2Sender
from tocsin.push.sender import Envelope
from tocsin.simulator.authority import Authority


def envelope(path: str = "/p/1", **changes: object) -> Envelope:
    whole = Envelope(f"https://{HOST}{path}", "vapid t=a.b.c, k=d", b"\0sealed\xff", 60, "high", "c" * 32)
    return whole._replace(**changes)  # type: ignore[arg-type]


async def test_the_request_is_what_push_services_want(server: PushServer, sender: AnySender) -> None:
    (answer,) = await sender.send([envelope()])
    assert (answer.status, answer.failure, answer.retry_after, answer.detail) == (201, None, None, "")
    assert answer.seconds > 0
    (request,) = server.requests
    assert (request.protocol, request.body) == ("h2", b"\0sealed\xff")
    assert request.headers == {
        ":method": "POST",
        ":scheme": "https",
        ":authority": HOST,
        ":path": "/p/1",
        "user-agent": "Tocsin",
        "ttl": "60",
        "urgency": "high",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "authorization": "vapid t=a.b.c, k=d",
        "topic": "c" * 32,
        "content-length": "8",
    }


async def test_nothing_of_one_message_is_left_in_the_next(server: PushServer, sender: AnySender) -> None:
    server.replies["/p/1"] = Reply(429, {"retry-after": "30"}, b"slow down")
    assert (await sender.send([envelope()]))[0].retry_after == 30
    plain = envelope("/p/2", body=b"", ttl=0, urgency="low", collapse_key=None, authorization="vapid t=x, k=y")
    assert (await sender.send([plain]))[0]._replace(seconds=0) == Answer(201)
    request = server.requests[-1]
    assert "topic" not in request.headers
    assert (request.headers["ttl"], request.headers["urgency"], request.body) == ("0", "low", b"")
    assert request.headers["authorization"] == "vapid t=x, k=y"


async def test_answers_come_in_the_envelopes_order(server: PushServer, sender: AnySender) -> None:
    statuses = [201, 404, 410, 413, 429, 500, 400, 201] * 20
    for status in set(statuses):
        server.replies[f"/p/{status}"] = Reply(status, body=f"reason {status}".encode())
    seen: dict[int, Answer] = {}
    answers = await sender.send([envelope(f"/p/{status}") for status in statuses], seen.__setitem__)
    assert [answer.status for answer in answers] == statuses
    assert [answer.detail for answer in answers] == [f"reason {status}" for status in statuses]
    assert [seen[place] for place in range(len(statuses))] == answers


async def test_one_connection_serves_many(server: PushServer, sender: AnySender) -> None:
    for _ in range(3):
        await sender.send([envelope(f"/p/{number}") for number in range(50)])
    assert (server.connections, sender.connections, sender.requests) == (1, 1, 150)


async def test_full_connections_are_joined_by_others_up_to_the_limit(
    server: PushServer, make_sender: MakeSender
) -> None:
    async with make_sender(server.connect_to, host_connections=3, streams=10) as sender:
        answers = await sender.send([envelope(f"/p/{number}") for number in range(100)])
        assert {answer.status for answer in answers} == {201}
        assert (server.connections, sender.connections) == (3, 3)


async def test_http1_is_spoken_where_there_is_no_http2(authority: Authority, make_sender: MakeSender) -> None:
    context = authority.server_context(HOST)
    context.set_alpn_protocols(["http/1.1"])
    async with PushServer(context) as server, make_sender(server.connect_to, host_connections=2) as sender:
        server.replies["/p/1"] = Reply(404, body=b"gone")
        answers = await sender.send([envelope(f"/p/{number}") for number in range(6)])
        assert [answer.status for answer in answers] == [201, 404, 201, 201, 201, 201]
        assert {request.protocol for request in server.requests} == {"http/1.1"}
        # Ours finds out with one connection of its own, once.
        asked = isinstance(sender, Http2Sender)
        assert server.connections == sender.connections <= 2 + asked
        await sender.send([envelope()])
        assert server.connections <= 2 + asked


async def test_sends_run_side_by_side(server: PushServer, sender: AnySender) -> None:
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    stuck = asyncio.create_task(sender.send([envelope("/hang")]))
    await server.received(1)
    many = await asyncio.gather(*(sender.send([envelope()] * 5) for _ in range(4)))
    assert [[answer.status for answer in one] for one in many] == [[201] * 5] * 4
    assert not stuck.done()
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_a_cancelled_send_gives_its_requests_up_and_no_others(server: PushServer, sender: AnySender) -> None:
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    stuck = asyncio.create_task(sender.send([envelope("/hang")] * 5))
    await server.received(5)
    other = asyncio.create_task(sender.send([envelope("/hang")]))
    await server.received(6)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert [answer.status for answer in await sender.send([envelope()])] == [201]
    await server.abandoned(5)
    assert (server.connections, server.gone_streams, other.done()) == (1, 5, False)
    other.cancel()
    await asyncio.wait([other])


async def test_what_on_answer_raises_ends_the_send(server: PushServer, sender: AnySender) -> None:
    server.replies["/hang"] = Reply(manner=Manner.HANG)

    def refuse(place: int, answer: Answer) -> None:
        raise KeyError(place)

    with pytest.raises(KeyError):
        await sender.send([envelope("/hang"), envelope()], refuse)
    await server.abandoned(1)
    assert (await sender.send([envelope()]))[0].status == 201


async def test_hosts_without_end_keep_few_connections_open(
    server: PushServer, sender: AnySender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl_sender, "MAX_HOSTS", 3)
    monkeypatch.setattr(http2_sender, "MAX_HOSTS", 3)
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    stuck = asyncio.create_task(sender.send([envelope("/hang")]))
    await server.received(1)
    for number in range(2, 9):
        await sender.send([envelope(url=f"https://127.0.0.{number}/p")])
    assert len(sender._hosts if isinstance(sender, Http2Sender) else sender._loops) == 3
    assert (await sender.send([envelope()]))[0].status == 201
    assert (server.connections, stuck.done()) == (1, False)
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_nothing_to_send_opens_nothing(server: PushServer, sender: AnySender) -> None:
    assert await sender.send([]) == []
    assert server.connections == 0


async def test_close_ends_what_is_under_way_and_leaves_nothing_open(
    server: PushServer, make_sender: MakeSender
) -> None:
    before = len(os.listdir("/dev/fd"))
    server.replies["/hang"] = Reply(manner=Manner.HANG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with make_sender(server.connect_to) as sender:
            await sender.send([envelope()])
            stuck = asyncio.create_task(sender.send([envelope(), envelope("/hang")]))
            await server.received(3)
            await sender.close()
            assert (await stuck)[1]._replace(seconds=0) == Answer(0, Failure.BROKEN)
        await sender.close()
        await server.abandoned(1)
        gc.collect()
    # The server's ends of the connections are this process's too, and close when it sees ours gone.
    while len(os.listdir("/dev/fd")) > before:
        await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        await sender.send([envelope()])


def test_another_loop_is_refused(authority: Authority, tls: ssl.SSLContext, make_sender: MakeSender) -> None:
    async def start() -> AnySender:
        async with PushServer(tls) as server:
            made = make_sender(server.connect_to)
            sender = await made.__aenter__()
            await sender.send([envelope()])
            return sender

    with asyncio.Runner() as first, asyncio.Runner() as second:
        sender = first.run(start())
        with pytest.raises(RuntimeError, match="event loop"):
            second.run(sender.send([envelope()]))
        first.run(sender.close())
