"""Opens a TLS connection to a push service: resolver, guard, PUSH_CONNECT_TO, certificate."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

from tocsin.domain.deliveries import Failure
from tocsin.push.guard import Guard
from tocsin.push.http2_tls import TlsSocket

Address = tuple[socket.AddressFamily, tuple[str, int]]

# Each gets its share of the time to connect, so that one that swallows everything leaves some for the others.
_MOST_ADDRESSES = 4
# A name that no server answers for keeps its thread for seconds: it must not keep other push services' names waiting.
_RESOLVERS = 32


class Undialled(Exception):
    """No connection, and why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class Dialler:
    """`ca_bundle` comes from `trust`. Proxy variables are ignored: through one the guard would see its address only."""

    def __init__(self, ca_bundle: Path, guard: Guard) -> None:
        self._guard = guard
        self._targets = dict(map(_target, guard.connect_to))
        # Before the first alert, which would wait for it: 145 authorities take 15 ms to read.
        self._tls = _context(ca_bundle)
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, "resolver")

    async def dial(self, host: str, port: int, until: float) -> TlsSocket:
        """Connected and trusted as `host` before that moment of the loop's clock. Raises Undialled."""
        try:
            async with asyncio.timeout_at(until):
                addresses = await self._resolve(*self._targets.get((host, port), (host, port)))
        except TimeoutError:
            raise Undialled(Failure.TIMEOUT) from None
        return await self._trust(await self._connect(addresses, until), host, until)

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        """Those that may be tried, in turn: the resolver's order, but families by turns."""
        found = await self._look_up(host, port)
        six, four = ([one for one in found if one[0] is family] for family in (socket.AF_INET6, socket.AF_INET))
        first, second = (four, six) if found and found[0][0] is socket.AF_INET else (six, four)
        turns = [one for pair in zip_longest(first, second) for one in pair if one is not None]
        # The address is what was resolved, so that no name can be changed under us.
        admitted = [one for one in turns if self._guard.admits(*one[1])]
        if not admitted:
            raise Undialled(Failure.REFUSED_ADDRESS if found else Failure.DNS)
        return admitted[:_MOST_ADDRESSES]

    async def _look_up(self, host: str, port: int) -> list[Address]:
        def ask(flags: int) -> list[Address]:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
            return [(family, (str(address[0]), port)) for family, *_, address in infos]

        try:
            return ask(socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass
        except UnicodeError:  # a label that no name can have
            raise Undialled(Failure.DNS) from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._resolvers, ask, 0)
        except (OSError, UnicodeError):
            raise Undialled(Failure.DNS) from None

    async def _connect(self, addresses: Sequence[Address], until: float) -> socket.socket:
        failure, loop = Failure.CONNECT, asyncio.get_running_loop()
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                return await _connected(address, (until - loop.time()) / left)
            except TimeoutError:
                failure = Failure.TIMEOUT
            except OSError:  # refused, unreachable, no such family on this machine, or no file to spare
                failure = Failure.CONNECT
        raise Undialled(failure)

    async def _trust(self, connected: socket.socket, host: str, until: float) -> TlsSocket:
        try:
            # ValueError: a name that no certificate can be for.
            tls = TlsSocket(connected, self._tls, host)
            async with asyncio.timeout_at(until):
                await tls.shake_hands()
        except TimeoutError:
            connected.close()
            raise Undialled(Failure.TIMEOUT) from None
        except (OSError, ValueError):  # a certificate, a cipher, no TLS at all, a connection that breaks off
            connected.close()
            raise Undialled(Failure.TLS) from None
        except BaseException:
            connected.close()
            raise
        return tls


def _context(ca_bundle: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113 §9.2.1 wants compression and renegotiation off.
    tls.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    tls.load_verify_locations(ca_bundle)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    return tls


async def _connected(address: Address, seconds: float) -> socket.socket:
    family, target = address
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what we send is whole already
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(connecting, target)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _target(entry: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """An entry of PUSH_CONNECT_TO, whose form the settings have checked."""
    host, port, to_host, to_port = entry.split(":")
    return (host, int(port)), (to_host, int(to_port))
