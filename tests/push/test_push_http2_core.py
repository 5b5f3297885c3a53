"""HTTP/2 without a socket: each rule of RFC 9113 that a peer may break, and what becomes of the requests then."""

import hpack
import pytest
from http2_peer import AUTHORITY, HEAD, SETTINGS, Server, core, goaway, headers, number, split, start, talk

from tocsin.push import http2_frames as h2
from tocsin.push.answers import MAX_DETAIL
from tocsin.push.http2_core import Http2Core
from tocsin.push.http2_replies import BROKEN, UNPROCESSED, Reply

ACK = h2.frame(h2.SETTINGS, h2.ACK, 0)
EMPTY = h2.frame(h2.DATA, 0, 1)


def test_a_request_is_what_a_server_reads() -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    server = Server()
    talk(one, server)
    for tag in ("a", "b"):
        one.start(tag, f"/{tag}".encode(), HEAD, b"sealed")
        talk(one, server)
    for stream, path in ((1, "/a"), (3, "/b")):
        assert server.heads[stream][:4] == [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", AUTHORITY),
            (":path", path),
        ]
        assert dict(server.heads[stream][4:]) == {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "user-agent": "Tocsin",
            "urgency": "high",
            "content-length": "6",
            "ttl": "60",
            "authorization": HEAD[0],
            "topic": HEAD[3],
        }
    assert server.bodies == {1: b"sealed", 3: b"sealed"}
    server.http.send_headers(3, [(":status", "201"), ("location", "/m/2")], end_stream=True)
    assert talk(one, server) == [("b", Reply(201))]


def test_what_messages_share_is_one_byte_each_from_the_second_on() -> None:
    one = core()
    first, _, second, _ = split(start(one, "a", "b"))
    assert len(first[3]) > 150
    # Ten shared fields beside method and scheme, and the path: its form, its length, its two bytes.
    assert len(second[3]) == 2 + 9 + 2 + 2


def test_a_path_is_never_indexed() -> None:
    (_, _, _, block), _ = split(start(core(), "secret"))
    assert b"\x14\x07/secret" in block
    assert not any(b"secret" in value for _, value in decoder_after(block).header_table.dynamic_entries)


def decoder_after(block: bytes) -> hpack.Decoder:
    decoder = hpack.Decoder()
    decoder.decode(block)
    return decoder


@pytest.mark.parametrize("size", [0, 40, 200, 700, 65_536])
def test_the_peers_table_is_as_large_as_it_says(size: int) -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    server = Server(HEADER_TABLE_SIZE=size)
    talk(one, server)
    for number_, ttl in enumerate([60, 60, 59, 60, 58, 60]):
        one.start(str(number_), b"/p", (HEAD[0], ttl, *HEAD[2:]), b"x" * number_)
        talk(one, server)
    assert [dict(fields)["ttl"] for fields in server.heads.values()] == ["60", "60", "59", "60", "58", "60"]
    assert [dict(fields)["content-length"] for fields in server.heads.values()] == list("012345")
    assert {dict(fields)["authorization"] for fields in server.heads.values()} == {HEAD[0]}


def test_a_table_that_shrinks_and_grows_between_requests_is_followed() -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    server = Server()
    talk(one, server)
    for number_, size in enumerate([4_096, 100, 0, 2_000, 4_096]):
        server.http.update_settings({1: size})
        if number_ % 2:
            server.http.update_settings({1: 64})
            server.http.update_settings({1: size})
        talk(one, server)
        start_and_talk(one, server, f"{number_}a", f"{number_}b")
    assert [dict(fields)[":path"] for fields in server.heads.values()] == [f"/{n}{x}" for n in range(5) for x in "ab"]


def start_and_talk(one: Http2Core[str], server: Server, *tags: str) -> None:
    for tag in tags:
        one.start(tag, f"/{tag}".encode(), HEAD, b"sealed")
    talk(one, server)


def test_bodies_wait_for_the_windows() -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    server = Server(INITIAL_WINDOW_SIZE=1_000)
    talk(one, server)
    one.start("a", b"/a", HEAD, b"a" * 4_096)
    one.start("b", b"/b", HEAD, b"b" * 900)
    talk(one, server)
    assert (len(server.bodies[1]), len(server.bodies[3]), server.whole) == (1_000, 900, [3])
    for _ in range(4):
        server.read(1_000)
        talk(one, server)
    assert server.bodies[1] == b"a" * 4_096
    assert server.whole == [3, 1]


def test_the_connections_window_ends_what_may_start() -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    server = Server()
    talk(one, server)
    started = 0
    while one.room and one.has_window:
        one.start(str(started), b"/p", HEAD, b"x" * 4_000)
        started += 1
    talk(one, server)
    assert started == 17
    assert sum(map(len, server.bodies.values())) == 65_535
    server.read(65_535)
    talk(one, server)
    assert {len(body) for body in server.bodies.values()} == {4_000}
    assert one.room


def test_settings_that_take_the_window_back() -> None:
    """RFC 9113 §6.9.2: a window may be less than nothing, and comes back by updates."""
    one = core(h2.settings({h2.INITIAL_WINDOW_SIZE: 1_000}))
    start(one, "a", body=b"x" * 1_500)
    one.receive(h2.settings({h2.INITIAL_WINDOW_SIZE: 200}) + number(h2.WINDOW_UPDATE, 1, 800))
    assert split(one.outgoing()) == [(h2.SETTINGS, h2.ACK, 0, b"")]
    one.receive(number(h2.WINDOW_UPDATE, 1, 400))
    one.receive(h2.settings({h2.INITIAL_WINDOW_SIZE: 300}))
    data = [frame for frame in split(one.outgoing()) if frame[0] == h2.DATA]
    assert [(flags, len(payload)) for _, flags, _, payload in data] == [(0, 400), (h2.END_STREAM, 100)]


def test_streams_are_as_many_as_the_peer_allows() -> None:
    one = core(h2.settings({h2.MAX_CONCURRENT_STREAMS: 2}))
    start(one, "a", "b")
    assert one.room == 0
    assert one.receive(headers(1)) == [("a", Reply(201))]
    assert one.room == 1
    one.receive(h2.settings({h2.MAX_CONCURRENT_STREAMS: 0}))
    assert one.room == 0


def test_nothing_is_started_before_the_peers_settings() -> None:
    one: Http2Core[str] = Http2Core(AUTHORITY, 100)
    assert (one.is_ready, one.room) == (False, 0)
    one.receive(SETTINGS[:5])
    assert one.room == 0
    one.receive(SETTINGS[5:])
    assert (one.is_ready, one.room) == (True, 100)


def test_numbers_of_streams_run_out() -> None:
    one = core()
    one._streams.next = h2.MAX_STREAM - 2
    assert one.room == 2
    start(one, "a", "b")
    assert (one.room, one.is_leaving, one.is_over) == (0, True, False)
    assert one.receive(headers(h2.MAX_STREAM)) == [("b", Reply(201))]


def test_goaway_tells_what_may_be_sent_again() -> None:
    one = core()
    start(one, "a", "b", "c", "d")
    assert one.receive(goaway(h2.MAX_STREAM)) == []
    assert (one.room, one.is_leaving, one.is_over) == (0, True, False)
    assert one.receive(headers(3) + goaway(3)) == [("b", Reply(201)), ("c", UNPROCESSED), ("d", UNPROCESSED)]
    assert one.receive(goaway(7)) == []  # which it may not say: they have been sent elsewhere
    assert one.lose() == [("a", BROKEN)]
    assert not one.is_at_odds


@pytest.mark.parametrize(
    ("code", "reply", "at_odds"),
    [
        (h2.ENHANCE_YOUR_CALM, BROKEN, False),
        (h2.INTERNAL_ERROR, UNPROCESSED, False),
        (h2.PROTOCOL_ERROR, UNPROCESSED, True),
    ],
)
def test_goaway_may_find_fault_with_us(code: int, reply: Reply, at_odds: bool) -> None:
    one = core()
    start(one, "a")
    assert one.receive(goaway(0, code)) == [("a", reply)]
    assert one.is_at_odds == at_odds


@pytest.mark.parametrize(
    ("code", "reply"), [(h2.REFUSED_STREAM, UNPROCESSED), (h2.INTERNAL_ERROR, BROKEN), (h2.NO_ERROR, BROKEN)]
)
def test_a_reset_before_any_answer(code: int, reply: Reply) -> None:
    one = core()
    start(one, "a", "b")
    assert one.receive(number(h2.RST_STREAM, 1, code) + headers(3)) == [("a", reply), ("b", Reply(201))]


def test_a_status_stands_whatever_comes_after() -> None:
    for end in (number(h2.RST_STREAM, 1, h2.REFUSED_STREAM), goaway(0), b"\0" * 9):
        one = core()
        start(one, "a")
        one.receive(headers(1, flags=h2.END_HEADERS))
        assert one.receive(end) + one.lose() == [("a", Reply(201))]
    one = core()
    start(one, "a")
    one.receive(headers(1, flags=h2.END_HEADERS))
    assert one.give_up(lambda tag: tag == "a") == [("a", Reply(201))]


def test_what_is_given_up_is_reset_and_passed_over() -> None:
    one = core()
    start(one, "a", "b")
    assert one.give_up(lambda tag: tag == "a") == [("a", BROKEN)]
    assert split(one.outgoing()) == [(h2.RST_STREAM, 0, 1, h2.NUMBER.pack(h2.CANCEL))]
    late = headers(1, flags=h2.END_HEADERS) + h2.frame(h2.DATA, h2.END_STREAM, 1, b"late")
    assert one.receive(late + headers(3)) == [("b", Reply(201))]
    assert not one.is_over


def test_an_early_answer_ends_a_request_that_is_not_out_yet() -> None:
    one = core(h2.settings({h2.INITIAL_WINDOW_SIZE: 10}))
    start(one, "a", body=b"x" * 100)
    block = hpack.Encoder().encode([(":status", "413"), ("retry-after", "7")])
    assert one.receive(headers(1, block)) == [("a", Reply(413, b"7"))]
    assert split(one.outgoing()) == [(h2.RST_STREAM, 0, 1, h2.NUMBER.pack(h2.CANCEL))]


def test_a_reply_in_parts() -> None:
    one = core()
    start(one, "a")
    block = hpack.Encoder().encode([(":status", "429"), ("Retry-After".lower(), "30"), ("x", "y" * 200)])
    parts = [
        headers(1, hpack.Encoder().encode([(":status", "103"), ("link", "</x>")]), h2.END_HEADERS),
        h2.frame(h2.HEADERS, h2.PADDED | h2.WITH_PRIORITY, 1, b"\x03" + bytes(5) + block[:3] + bytes(3)),
        h2.frame(h2.CONTINUATION, 0, 1, block[3:9]),
        h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, block[9:]),
        h2.frame(h2.DATA, h2.PADDED, 1, b"\x02slow" + bytes(2)),
        h2.frame(h2.DATA, 0, 1, b" down"),
        headers(1, hpack.Encoder().encode([("trailer", "1")])),
    ]
    whole = b"".join(parts)
    for byte in range(len(whole) - 1):
        assert one.receive(whole[byte : byte + 1]) == []
    assert one.receive(whole[-1:]) == [("a", Reply(429, b"30", b"slow down"))]


def test_a_body_is_cut() -> None:
    one = core()
    start(one, "a", "b")
    one.receive(headers(1, b"\x8d", h2.END_HEADERS) + h2.frame(h2.DATA, 0, 1, b"x" * MAX_DETAIL))
    assert one.receive(h2.frame(h2.DATA, 0, 1, b"xx")) == [("a", Reply(404, None, b"x" * MAX_DETAIL))]
    assert split(one.outgoing()) == [(h2.RST_STREAM, 0, 1, h2.NUMBER.pack(h2.CANCEL))]
    # What comes of it all the same still counts for the window, and is given back.
    for _ in range(4):
        assert one.receive(h2.frame(h2.DATA, 0, 1, b"x" * 16_000)) == []
    assert [kind for kind, *_ in split(one.outgoing())] == [h2.WINDOW_UPDATE]
    assert one.receive(headers(3)) == [("b", Reply(201))]


def test_pings_and_settings_are_acknowledged() -> None:
    one = core()
    one.receive(h2.frame(h2.PING, 0, 0, b"12345678") + h2.frame(h2.PING, h2.ACK, 0, b"ours????") + SETTINGS + ACK)
    assert split(one.outgoing()) == [(h2.PING, h2.ACK, 0, b"12345678"), (h2.SETTINGS, h2.ACK, 0, b"")]


@pytest.mark.parametrize(
    "block", [b"\x08\x03201", b"\x48\x82\x10\x03", b"\x18\x03201\x0f\x0d\x010", b"\x20\x08\x03201"]
)
def test_every_form_of_a_bare_201(block: bytes) -> None:
    one = core()
    start(one, "a")
    assert hpack.Decoder().decode(block)[0] == (":status", "201")
    assert one.receive(headers(1, block)) == [("a", Reply(201))]
    start(one, "b")
    empty = h2.frame(h2.DATA, h2.END_STREAM, 3)
    assert one.receive(headers(3, block, h2.END_HEADERS) + empty) == [("b", Reply(201))]
