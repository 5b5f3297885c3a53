"""What nobody foresaw in our own code, too, becomes an answer: whoever sends waits for every one of them."""

import ssl

import pytest
from push_scripted import Scripted, Visit
from push_wire import PushServer
from push_wire import Reply as Said
from test_push_http2_sender import opened, outcomes
from test_push_sender import envelope

from tocsin.domain.deliveries import Answer, Failure
from tocsin.push.http2_dial import Dialler
from tocsin.push.http2_replies import Reply
from tocsin.push.http2_tls import TlsSocket
from tocsin.simulator.authority import Authority


async def test_a_reply_that_cannot_be_read_costs_the_others_nothing(
    server: PushServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reply.answer

    def fails(reply: Reply, failure: Failure, seconds: float) -> Answer:
        if reply.status == 413:
            raise LookupError("one that nobody thought of")
        return read(reply, failure, seconds)

    monkeypatch.setattr(Reply, "answer", fails)
    server.replies["/odd"] = Said(413)
    server.replies["/late"] = Said(503)
    async with opened(authority, server.connect_to) as sender:
        answers = await sender.send([envelope("/p/1"), envelope("/odd"), envelope("/late"), envelope("/p/2")])
        assert [answer.status for answer in answers] == [201, 0, 503, 201]
        assert answers[1].failure is Failure.BROKEN


async def test_a_dial_that_fails_as_nobody_thought_is_an_answer(
    tls: ssl.SSLContext, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial, times = Dialler.dial, iter([True])

    async def fails_once(dialler: Dialler, host: str, port: int, until: float) -> TlsSocket:
        if next(times, False):
            raise LookupError("one that nobody thought of")
        return await dial(dialler, host, port, until)

    def accept(visit: Visit) -> None:
        visit.accept(visit.streams[-1])

    monkeypatch.setattr(Dialler, "dial", fails_once)
    async with Scripted(tls, accept) as server, opened(authority, server.connect_to) as sender:
        assert outcomes(await sender.send([envelope(), envelope()])) == {str(Failure.CONNECT): 2}
        assert outcomes(await sender.send([envelope()])) == {201: 1}
