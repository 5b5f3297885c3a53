"""A push service's socket on loopback: opened, closed and opened again on one port, and counted."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tocsin.simulator.authority import Authority
from tocsin.simulator.faults import CertificateFault, ConnectionFault, RefuseFault
from tocsin.simulator.http1 import Http1Server
from tocsin.simulator.http2 import Http2Connection
from tocsin.simulator.push_service import PushService
from tocsin.simulator.services import HOSTS
from tocsin.simulator.transports import is_resumed, speaks_http2

BACKLOG = 1024
WRONG_NAME = "wrong.example"


@dataclass(slots=True)
class Connections:
    """Counts since the start: connections accepted, TLS handshakes completed, those that resumed a session."""

    accepted: int = 0
    handshakes: int = 0
    resumed: int = 0


class Listener:
    """Serves one push service on `host:port`; port 0 takes a free one, which is kept through faults."""

    def __init__(self, service: PushService, authority: Authority, host: str, port: int) -> None:
        self.service = service
        self.counts = Connections()
        self._authority = authority
        self._host = host
        if port:
            _require_free(host, port)
        # Bound, never listening: while the listener is closed, nobody else can be given the port.
        self._place = _bound(host, port)
        self.port: int = self._place.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._http2: set[Http2Connection] = set()
        self._http1 = Http1Server(service)
        self._fault: ConnectionFault | None = None

    @property
    def open_connections(self) -> int:
        return len(self._http2) + len(self._http1)

    async def start(self) -> None:
        await self._listen(None)

    async def obey(self, fault: ConnectionFault | None) -> None:
        """Listen as `fault` says, after dropping what was open; nothing happens if that is so already."""
        if fault != self._fault:
            self._fault = fault
            self._close()
            if not isinstance(fault, RefuseFault):
                await self._listen(fault)

    async def _listen(self, fault: CertificateFault | None) -> None:
        """Each time with TLS keys of its own, so that no session is resumed past another certificate."""
        listening = _bound(self._host, self.port)
        listening.listen(BACKLOG)
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, sock=listening, backlog=BACKLOG, ssl=self._context(fault)
        )

    async def stop(self) -> None:
        self._close()
        await self._http1.stop()
        self._place.close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._http2):
            connection.abort()
        self._http1.abort_all()

    def _context(self, fault: CertificateFault | None) -> ssl.SSLContext:
        if fault is None:
            return self._authority.server_context(*HOSTS[self.service.name])
        if fault.certificate == "expired":
            return self._authority.server_context(*HOSTS[self.service.name], expired=True)
        return self._authority.server_context(WRONG_NAME)

    def _accept(self) -> asyncio.Protocol:
        self.counts.accepted += 1
        return _Negotiation(self._negotiated)

    def _negotiated(self, transport: asyncio.Transport) -> asyncio.Protocol:
        self.counts.handshakes += 1
        self.counts.resumed += is_resumed(transport)
        if not speaks_http2(transport):
            return self._http1.new_connection()
        connection = Http2Connection(self.service, self._http2.discard)
        self._http2.add(connection)
        return connection


class _Negotiation(asyncio.Protocol):
    """A connection until TLS stands; then `choose` gives the protocol that goes on."""

    def __init__(self, choose: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        self._choose = choose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        secure = cast("asyncio.Transport", transport)
        chosen = self._choose(secure)
        secure.set_protocol(chosen)
        chosen.connection_made(secure)


def _require_free(host: str, port: int) -> None:
    """OSError if somebody listens there: SO_REUSEPORT alone would let two simulators share a port, half and half."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to `host:port`, which another one of this user may share."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.setblocking(False)
    bound.bind((host, port))
    return bound
