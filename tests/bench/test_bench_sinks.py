"""Every sink takes whole requests over TLS and answers 201, so that the legs' figures mean the same."""

import asyncio
import os
import ssl
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from tocsin.bench.processes import choose_cpus
from tocsin.bench.sink import SinkKind, installed_sink, open_sink
from tocsin.domain.errors import Misconfigured
from tocsin.push.curl_sender import CurlSender
from tocsin.push.guard import Guard
from tocsin.push.http2_sender import Http2Sender
from tocsin.push.sender import Envelope
from tocsin.simulator.authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("bench-authority"))


def skip_unless_installed(kind: SinkKind) -> None:
    if kind is SinkKind.NGINX and installed_sink() is not kind and "CI" not in os.environ:
        pytest.skip("nginx is not installed")


@pytest.mark.parametrize("sender_class", [CurlSender, Http2Sender])
@pytest.mark.parametrize("kind", SinkKind)
async def test_all_are_accepted(
    kind: SinkKind, sender_class: type[CurlSender | Http2Sender], authority: Authority, tmp_path: Path
) -> None:
    skip_unless_installed(kind)
    certificate, key = authority.issue("localhost")
    async with open_sink(tmp_path / "sink", certificate, key, choose_cpus().sink, kind, delay_ms=5) as sink:
        sender = sender_class(ca_bundle=authority.ca_file, guard=Guard([sink.connect_to]))
        envelope = Envelope(f"https://localhost:{sink.port}/push/x", "vapid t=x, k=y", b"x" * 3_000, 60, "high")

        answers = await sender.send([envelope] * 500)

        await sender.close()
    assert {answer.status for answer in answers} == {201}


@pytest.mark.parametrize("kind", SinkKind)
async def test_no_answer_before_the_whole_body(kind: SinkKind, authority: Authority, tmp_path: Path) -> None:
    skip_unless_installed(kind)
    certificate, key = authority.issue("localhost")
    tls = ssl.create_default_context(cafile=authority.ca_file)
    tls.set_alpn_protocols(["h2"])
    async with open_sink(tmp_path / "sink", certificate, key, choose_cpus().sink, kind) as sink:
        reader, writer = await asyncio.open_connection("localhost", sink.port, ssl=tls)
        http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        http.initiate_connection()
        http.send_headers(1, [(":method", "POST"), (":path", "/x"), (":authority", "localhost"), (":scheme", "https")])
        # The answer to the ping shows that what was sent before it has been read.
        http.ping(b"12345678")
        writer.write(http.data_to_send())
        seen: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.PingAckReceived) for event in seen):
            seen += http.receive_data(await reader.read(65_536))
        assert not any(isinstance(event, h2.events.ResponseReceived) for event in seen)

        http.send_data(1, b"x" * 400, end_stream=True)
        writer.write(http.data_to_send())
        while not any(isinstance(event, h2.events.StreamEnded) for event in seen):
            seen += http.receive_data(await reader.read(65_536))

        [response] = [event for event in seen if isinstance(event, h2.events.ResponseReceived)]
        assert dict(response.headers)[":status"] == "201"
        writer.transport.abort()


async def test_a_sink_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="own"):
        async with open_sink(tmp_path / "sink", tmp_path / "no.pem", tmp_path / "no.key", 0, SinkKind.OWN):
            pass
