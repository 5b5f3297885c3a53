"""A push service that does what a script says, frame by frame: for what no library would do."""

import asyncio
import ssl
from collections.abc import Callable
from types import TracebackType

from push_wire import HOST, reset

from tocsin.push import http2_frames as h2

CREATED = b"\x08\x03201"


class Visit:
    """One connection, counted from 1; `streams` are those of whole requests so far, in order."""

    def __init__(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.streams: list[int] = []
        self._writer = writer

    def say(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))

    def accept(self, *streams: int) -> None:
        self.say(*(h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, CREATED) for stream in streams))

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        reset(self._writer)


Script = Callable[[Visit], None]


class Scripted:
    """`script(visit)` is called at each whole request."""

    def __init__(self, tls: ssl.SSLContext, script: Script, settings: dict[int, int] | None = None) -> None:
        self.visits: list[Visit] = []
        self._tls = tls
        self._script = script
        self._settings = settings or {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server

    @property
    def requests(self) -> list[int]:
        """How many each connection brought."""
        return [len(visit.streams) for visit in self.visits]

    @property
    def connect_to(self) -> str:
        return f"{HOST}:443:127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "Scripted":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        while self._writers:
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(len(self.visits) + 1, writer)
        self.visits.append(visit)
        self._writers.add(writer)
        try:
            visit.say(h2.settings(self._settings))
            await reader.readexactly(len(h2.PREFACE))
            while True:
                head, flags, stream = h2.HEAD.unpack(await reader.readexactly(h2.HEAD_SIZE))
                await reader.readexactly(head >> 8)
                kind = head & 0xFF
                if kind == h2.SETTINGS and not flags & h2.ACK:
                    visit.say(h2.frame(h2.SETTINGS, h2.ACK, 0))
                elif kind in {h2.DATA, h2.HEADERS} and flags & h2.END_STREAM:
                    visit.streams.append(stream)
                    self._script(visit)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
