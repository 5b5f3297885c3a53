"""TLS on a socket that never blocks: many requests are one `send`, many answers one `recv`.

asyncio's own transport would do, but for this: where a write fails it closes, whatever answers are still to be read.
Each of those would be a message sent twice.
"""

import asyncio
import socket
import ssl

_MOST = 65_536
# What a record holds (RFC 8446 §5.1), and so what OpenSSL takes at once.
_RECORD = 16_384


class TlsSocket:
    """A connected socket as the client's end of TLS. Whoever has it closes it."""

    def __init__(self, connected: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self.socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = b""
        self.is_dry = False
        """Whether the last `read` found nothing."""

    @property
    def protocol(self) -> str | None:
        """What ALPN agreed upon (RFC 7301)."""
        return self._tls.selected_alpn_protocol()

    @property
    def is_blocked(self) -> bool:
        """Whether the peer has yet to take what was written."""
        return bool(self._unsent)

    async def shake_hands(self) -> None:
        """Raises OSError, of which ssl.SSLError is one."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self.socket, self._outgoing.read())
                data = await loop.sock_recv(self.socket, _MOST)
                if not data:
                    raise ConnectionResetError from None
                self._incoming.write(data)
            except ssl.SSLError:
                self.write(b"")  # the alert tells the peer why
                raise
            else:
                break
        self.write(b"")

    def write(self, data: bytes) -> None:
        """As much as the socket takes now; the rest with the next call. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest[:_RECORD]) :]
        out = self._outgoing.read()
        self._unsent = self._unsent + out if self._unsent else out
        if not self._unsent:
            return
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]

    def read(self) -> tuple[bytes, bool]:
        """What has come by now, 64 KB at most, and whether it was the last. Raises OSError."""
        try:
            data = self.socket.recv(_MOST)
        except BlockingIOError:
            # What came with the end of the handshake is here already.
            self.is_dry = not self._incoming.pending
            if self.is_dry:
                return b"", False
        else:
            if not data:
                return b"", True
            self.is_dry = False
            self._incoming.write(data)
        chunks: list[bytes] = []
        try:
            while chunk := self._tls.read(_MOST):
                chunks.append(chunk)
        except ssl.SSLWantReadError:
            return b"".join(chunks), False
        except ssl.SSLError:
            pass  # closed, or broken: what came before counts
        return b"".join(chunks), True

    def close(self) -> None:
        self.socket.close()
