"""What a peer may not do, and what nobody sends: the connection ends with the right code, every request is answered
once, and nothing is raised."""

from collections import Counter

import hpack
import pytest
from http2_peer import AUTHORITY, CREATED, HEAD, SETTINGS, core, goaway, headers, number, start
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.push import http2_frames as h2
from tocsin.push.http2_core import Http2Core
from tocsin.push.http2_replies import BROKEN, UNPROCESSED, Reply

OPEN = h2.END_HEADERS
BREACHES = {
    "a frame longer than we allow": (h2.HEAD.pack(16_385 << 8 | h2.DATA, 0, 1), h2.FRAME_SIZE_ERROR),
    "data before headers on no stream": (h2.frame(h2.DATA, 0, 0, b"x"), h2.PROTOCOL_ERROR),
    "headers on a stream that is not begun": (headers(5), h2.PROTOCOL_ERROR),
    "headers on a server's stream": (headers(2), h2.PROTOCOL_ERROR),
    "headers after the end": (headers(3) + headers(3), h2.STREAM_CLOSED),
    "data after the end": (headers(3) + h2.frame(h2.DATA, 0, 3, b"x"), h2.STREAM_CLOSED),
    "push": (h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, bytes(4) + CREATED), h2.PROTOCOL_ERROR),
    "another frame inside a block": (headers(1, flags=0) + h2.frame(h2.PING, 0, 0, bytes(8)), h2.PROTOCOL_ERROR),
    "a bare 201 inside a block": (headers(1, flags=0) + headers(3), h2.PROTOCOL_ERROR),
    "another stream's continuation": (
        headers(1, flags=0) + h2.frame(h2.CONTINUATION, h2.END_HEADERS, 3),
        h2.PROTOCOL_ERROR,
    ),
    "a continuation of nothing": (h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1), h2.PROTOCOL_ERROR),
    "a block without end": (
        headers(1, flags=0) + h2.frame(h2.CONTINUATION, 0, 1) * h2.MAX_CONTINUATIONS,
        h2.ENHANCE_YOUR_CALM,
    ),
    "a block that is too large": (
        headers(1, flags=0) + h2.frame(h2.CONTINUATION, 0, 1, b"\0" * 16_000) * 3,
        h2.ENHANCE_YOUR_CALM,
    ),
    "padding longer than its frame": (h2.frame(h2.HEADERS, h2.PADDED | OPEN, 1, b"\x09" + CREATED), h2.PROTOCOL_ERROR),
    "a table that we do not keep": (headers(1, b"\xbe"), h2.COMPRESSION_ERROR),
    "a table that we do not allow": (headers(1, b"\x3f\xe1\x1f" + CREATED), h2.COMPRESSION_ERROR),
    "a block that is cut off": (headers(1, b"\x08\x0320"), h2.COMPRESSION_ERROR),
    "huffman's end of string": (headers(1, b"\x08\x84\xff\xff\xff\xff"), h2.COMPRESSION_ERROR),
    "settings on a stream": (h2.frame(h2.SETTINGS, 0, 1), h2.PROTOCOL_ERROR),
    "settings of an odd length": (h2.frame(h2.SETTINGS, 0, 0, bytes(5)), h2.FRAME_SIZE_ERROR),
    "an acknowledgement that says more": (h2.frame(h2.SETTINGS, h2.ACK, 0, bytes(6)), h2.FRAME_SIZE_ERROR),
    "a server that allows push": (h2.settings({h2.ENABLE_PUSH: 1}), h2.PROTOCOL_ERROR),
    "a first window that is too large": (h2.settings({h2.INITIAL_WINDOW_SIZE: 2**31}), h2.FLOW_CONTROL_ERROR),
    "frames that are too small": (h2.settings({h2.MAX_FRAME_SIZE: 100}), h2.PROTOCOL_ERROR),
    "a ping on a stream": (h2.frame(h2.PING, 0, 1, bytes(8)), h2.PROTOCOL_ERROR),
    "a ping of another length": (h2.frame(h2.PING, 0, 0, bytes(7)), h2.FRAME_SIZE_ERROR),
    "goaway on a stream": (h2.frame(h2.GOAWAY, 0, 1, bytes(8)), h2.PROTOCOL_ERROR),
    "goaway that is too short": (h2.frame(h2.GOAWAY, 0, 0, bytes(7)), h2.FRAME_SIZE_ERROR),
    "a reset of nothing": (number(h2.RST_STREAM, 99, 0), h2.PROTOCOL_ERROR),
    "a reset of another length": (h2.frame(h2.RST_STREAM, 0, 1, bytes(3)), h2.FRAME_SIZE_ERROR),
    "a window that grows by nothing": (number(h2.WINDOW_UPDATE, 0, 0), h2.PROTOCOL_ERROR),
    "a window that grows too far": (number(h2.WINDOW_UPDATE, 0, 2**31 - 1), h2.FLOW_CONTROL_ERROR),
    "a window of a stream that is not begun": (number(h2.WINDOW_UPDATE, 7, 1), h2.PROTOCOL_ERROR),
    "more data than the stream's window": (
        headers(1, flags=OPEN) + h2.frame(h2.DATA, h2.PADDED, 1, b"\xff" + bytes(256)) * 64,
        h2.FLOW_CONTROL_ERROR,
    ),
    "pings without end": (h2.frame(h2.PING, 0, 0, bytes(8)) * 1_001, h2.ENHANCE_YOUR_CALM),
    "settings without end": (SETTINGS * 1_001, h2.ENHANCE_YOUR_CALM),
    "updates without end": (number(h2.WINDOW_UPDATE, 1, 1) * 1_001, h2.ENHANCE_YOUR_CALM),
    "empty data without end": (headers(1, flags=OPEN) + h2.frame(h2.DATA, 0, 1) * 1_001, h2.ENHANCE_YOUR_CALM),
    "interim replies without end": (headers(1, b"\x08\x03100", OPEN) * 1_001, h2.ENHANCE_YOUR_CALM),
    "priorities without end": (h2.frame(h2.PRIORITY, 0, 1, bytes(5)) * 1_001, h2.ENHANCE_YOUR_CALM),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_ends_the_connection(name: str) -> None:
    data, code = BREACHES[name]
    one = core()
    start(one, "a", "b")
    ended = one.receive(data)
    assert (one.fault, one.is_over, one.room) == (code, True, 0)
    assert Counter(tag for tag, _ in ended) == {"a": 1, "b": 1}
    assert {reply.status for _, reply in ended} <= {0, 201}
    assert one.outgoing().endswith(h2.frame(h2.GOAWAY, 0, 0, bytes(4) + h2.NUMBER.pack(code)))
    assert one.is_at_odds == (code != h2.ENHANCE_YOUR_CALM)
    assert one.receive(headers(1)) == one.lose() == []


def test_settings_come_first() -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    one.receive(h2.frame(h2.PING, 0, 0, bytes(8)))
    assert one.fault == h2.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "reply",
    [
        headers(1, b"\x08\x03100"),  # an interim one cannot be the last
        headers(1, b"\x08\x03101", OPEN),
        headers(1, hpack.Encoder().encode([("server", "x")])),
        headers(1, hpack.Encoder().encode([("server", "x"), (":status", "201")])),
        headers(1, hpack.Encoder().encode([(":status", "2e1")])),
        headers(1, hpack.Encoder().encode([(":status", "200"), (":status", "200")])),
        h2.frame(h2.DATA, 0, 1, b"no head"),
    ],
)
def test_a_malformed_reply_ends_its_stream_alone(reply: bytes) -> None:
    one = core()
    start(one, "a", "b")
    assert one.receive(reply + headers(3)) == [("a", BROKEN), ("b", Reply(201))]
    assert (one.is_over, one.is_at_odds) == (False, True)
    assert number(h2.RST_STREAM, 1, h2.PROTOCOL_ERROR) in one.outgoing()


def test_a_peer_that_is_at_odds_with_one_request_only() -> None:
    one = core()
    start(one, "a", "b")
    assert one.receive(number(h2.RST_STREAM, 1, h2.HTTP_1_1_REQUIRED)) == [("a", BROKEN)]
    assert (one.is_over, one.is_at_odds) == (False, True)


def test_answers_make_up_for_idle_frames() -> None:
    one = core()
    for turn in range(3_000):
        start(one, str(turn))
        stream = 2 * turn + 1
        assert one.receive(number(h2.WINDOW_UPDATE, stream, 9) + number(h2.WINDOW_UPDATE, 0, 9)) == []
        assert one.receive(headers(stream)) == [(str(turn), Reply(201))]
    assert not one.is_over


@pytest.mark.parametrize("body", [b"", b"gone", bytes(5_000)], ids=["empty", "text", "long"])
def test_an_answer_is_one_with_data_too(body: bytes) -> None:
    one = core()
    for turn in range(1_500):
        start(one, str(turn))
        stream = 2 * turn + 1
        head = headers(stream, b"\x08\x03410", h2.END_HEADERS)
        ended = one.receive(head + h2.frame(h2.DATA, h2.END_STREAM, stream, body))
        assert [(tag, reply.status) for tag, reply in ended] == [(str(turn), 410)]
    assert not one.is_over


def test_streams_that_are_never_ended_do_not_pile_up() -> None:
    one = core()
    for turn in range(h2.MAX_GIVEN_UP + 1):
        assert one.room
        start(one, str(turn))
        one.give_up(lambda _: True)
    assert (one.room, one.is_leaving, one.is_over) == (0, True, False)


STREAMS = st.sampled_from([0, 1, 2, 3, 5, 7, 9, 11, 99])
SHORT = st.binary(max_size=40)
FRAMES = st.one_of(
    st.builds(headers, STREAMS),
    st.builds(headers, STREAMS, st.sampled_from([CREATED, b"\x88", b"\x8d", b"\x08\x03429"]), st.integers(0, 255)),
    st.builds(h2.frame, st.integers(0, 12), st.integers(0, 255), STREAMS, SHORT),
    st.builds(number, st.sampled_from([h2.RST_STREAM, h2.WINDOW_UPDATE]), STREAMS, st.integers(0, 2**32 - 1)),
    st.builds(goaway, STREAMS, st.integers(0, 14)),
    st.builds(h2.settings, st.dictionaries(st.integers(0, 7), st.sampled_from([0, 1, 9, 70_000, 2**24, 2**31]))),
    st.builds(lambda stream, body: h2.frame(h2.DATA, h2.END_STREAM, stream, body), STREAMS, SHORT),
    st.binary(max_size=60),
)
STEPS = st.lists(st.one_of(FRAMES, st.sampled_from(["start", "give up"])), max_size=30)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, cut=st.integers(1, 64))
def test_whatever_comes_each_request_is_answered_once(steps: list[bytes | str], cut: int) -> None:
    one = core()
    asked: list[str] = []
    answered: Counter[str] = Counter()

    def heard(ended: list[tuple[str, Reply]]) -> None:
        for tag, reply in ended:
            answered[tag] += 1
            assert reply in {BROKEN, UNPROCESSED} or 200 <= reply.status <= 999

    def ask() -> None:
        if one.room:
            asked.append(str(len(asked)))
            start(one, asked[-1], body=b"x" * 50)

    for step in ["start", "start", "start", *steps]:
        if step == "start":
            ask()
        elif step == "give up":
            heard(one.give_up(lambda tag: int(tag) % 3 == 0))
        else:
            assert isinstance(step, bytes)
            for at in range(0, len(step), cut):
                heard(one.receive(step[at : at + cut]))
        assert one.under_way == len(asked) - answered.total()
        one.outgoing()
    heard(one.lose())
    assert answered == Counter(asked)
    assert one.under_way == 0 == len(one._streams.parts)


@settings(max_examples=300, deadline=None)
@given(block=st.binary(max_size=80))
def test_no_block_is_too_strange(block: bytes) -> None:
    one = core()
    start(one, "a")
    ended = one.receive(headers(1, block)) + one.lose()
    assert [tag for tag, _ in ended] == ["a"]
    assert HEAD[0] not in repr(ended)
