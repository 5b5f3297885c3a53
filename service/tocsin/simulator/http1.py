"""HTTP/1.1 of a push service, for senders that speak no HTTP/2: aiohttp parses, `PushService` decides."""

import asyncio
import contextlib

from aiohttp import web

from tocsin.simulator.push_service import PushService
from tocsin.simulator.request import Answer, Head, Manner, Reply
from tocsin.simulator.transports import reset

ENDLESS_CHUNK = b"x" * 16_384
SHUTDOWN_SECONDS = 0.1
AIOHTTP_MAX_BYTES = 2**20  # its limit for a body, far above a push's


class Http1Server:
    """Makes the protocol of each HTTP/1.1 connection, and ends them all."""

    def __init__(self, service: PushService) -> None:
        self._service = service
        # Cancelled with its connection, or a request that hangs would stay for good.
        self._server = web.Server(self._handle, handler_cancellation=True, access_log=None)

    def __len__(self) -> int:
        return len(self._server.connections)

    def new_connection(self) -> asyncio.Protocol:
        return self._server()

    def abort_all(self) -> None:
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def stop(self) -> None:
        await self._server.shutdown(SHUTDOWN_SECONDS)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        exchange = self._service.begin(Head(request.method, request.host, request.raw_path, headers))
        if exchange.is_cut_short:
            self._service.cut_short(exchange)
            return _reset(request)
        body, size = await _read(request)
        reply = self._service.complete(exchange, body, size)
        await asyncio.sleep(reply.delay)
        return await _send(request, reply)


async def _read(request: web.BaseRequest) -> tuple[bytes, int]:
    """The body and its size; nothing is kept of a body of more than aiohttp's megabyte."""
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return b"", AIOHTTP_MAX_BYTES + 1
    return body, len(body)


async def _send(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    match reply.manner:
        case Manner.WHOLE:
            return web.Response(status=reply.answer.status, headers=reply.answer.headers, body=reply.answer.body)
        case Manner.RESET:
            return _reset(request)
        case Manner.HANG:
            never: asyncio.Future[web.StreamResponse] = asyncio.get_running_loop().create_future()
            return await never
        case Manner.DRIBBLE:
            return await _dribble(request, reply)
        case Manner.ENDLESS:
            return await _send_endlessly(request, reply.answer)


async def _dribble(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.answer.status)
    response.content_length = len(reply.answer.body)
    await response.prepare(request)
    for byte in reply.answer.body:
        await response.write(bytes([byte]))
        await asyncio.sleep(reply.every)
    return response


async def _send_endlessly(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        while True:
            await response.write(ENDLESS_CHUNK)
            await asyncio.sleep(0)
    return response


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        reset(request.transport)
    return web.Response()
