"""`python -m tocsin.bench.sink_http2 PORT CERTIFICATE KEY DELAY_MS`: a sink that answers 201 after a wait.

HTTP/2 only (RFC 9113), and only as much of it as the end of a request asks for: header blocks are passed over, and
all requests that came in one read share one timer and one write. A whole server with a timer for each request
(granian, 21,000 a second) would be slower than what is measured; nginx cannot wait.
"""

import asyncio
import ssl
import sys

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 4, 6, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
# MAX_CONCURRENT_STREAMS (3) as RFC 9113 §6.5.2 recommends as the least, and as push services have it.
_OUR_SETTINGS = (3).to_bytes(2, "big") + (100).to_bytes(4, "big")
# RFC 7541 §6.2.2: a literal that is not indexed, with the name of static entry 8, `:status`.
_CREATED = b"\x08\x03201"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Connection(asyncio.Protocol):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._buffer = b""
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 (TLS is a stream)
        self._transport = transport
        transport.write(frame(_SETTINGS, 0, 0, _OUR_SETTINGS))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._greeted:
            if len(self._buffer) < len(_PREFACE):
                return
            self._buffer = self._buffer[len(_PREFACE) :]
            self._greeted = True
        self._take_frames()

    def _take_frames(self) -> None:
        buffer, at, read, ended = self._buffer, 0, 0, []
        while len(buffer) - at >= 9:
            size = int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) - at < 9 + size:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            if kind in (_DATA, _HEADERS):
                if kind == _DATA:
                    read += size
                if flags & _END_STREAM:
                    ended.append(buffer[at + 5 : at + 9])
            elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                content = buffer[at + 9 : at + 9 + size] if kind == _PING else b""
                self._transport.write(frame(kind, _ACK, 0, content))
            at += 9 + size
        self._buffer = buffer[at:]
        if read:
            self._transport.write(frame(_WINDOW_UPDATE, 0, 0, read.to_bytes(4, "big")))
        if ended:
            head = frame(_HEADERS, _END_STREAM | _END_HEADERS, 0, _CREATED)[:5]
            self._answer(b"".join(head + stream + _CREATED for stream in ended))

    def _answer(self, answers: bytes) -> None:
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, answers)
        else:
            self._transport.write(answers)


async def serve(port: int, certificate: str, key: str, seconds: float) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.set_alpn_protocols(["h2"])
    tls.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(seconds), "127.0.0.1", port, ssl=tls, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    the_port, the_certificate, the_key, delay_ms = sys.argv[1:]
    asyncio.run(serve(int(the_port), the_certificate, the_key, int(delay_ms) / 1000))
