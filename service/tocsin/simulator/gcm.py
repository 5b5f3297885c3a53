"""Chromium's push connection: Google's check-in and registration over HTTP, and MCS, for real browsers on this machine.

Chromium is led here by the switches of `Gcm.switches`. The endpoints it is given are Google's, so that pushes go the
same way as to any other browser; here they leave for Chromium, which decrypts them by itself.
"""

import asyncio
import secrets
import ssl
import time

from aiohttp import web

from tocsin.simulator import mcs, protobuf
from tocsin.simulator.chromium import ChromiumBrowser, Device, Link, Registration
from tocsin.simulator.loopback import is_from_page, require_loopback_host
from tocsin.simulator.protobuf import Fields, MalformedError, first_number, fixed64, number
from tocsin.simulator.push_service import World
from tocsin.simulator.services import PushServiceName

# Chromium refuses a bare address here: the certificate is for this name.
MCS_HOST = "localhost"
LOGIN_SECONDS = 10.0


class Gcm:
    """Both halves of Google's side: an aiohttp application with two routes, and the MCS server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._devices: dict[int, Device] = {}
        self._links: set[Link] = set()
        self._mcs: asyncio.Server | None = None

    def application(self) -> web.Application:
        application = web.Application(middlewares=[require_loopback_host])
        application.router.add_post("/checkin", self._check_in)
        application.router.add_post("/register", self._register)
        return application

    async def start(self, host: str, context: ssl.SSLContext) -> int:
        """Serve MCS; the port it got."""
        self._mcs = await asyncio.start_server(self._converse, host, 0, ssl=context)
        port: int = self._mcs.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._mcs is not None:
            self._mcs.close()
            self._mcs = None
        for link in tuple(self._links):
            link.close()

    @staticmethod
    def switches(http_url: str, mcs_port: int) -> list[str]:
        """What Chromium has to be started with."""
        return [
            f"--gcm-checkin-url={http_url}/checkin",
            f"--gcm-registration-url={http_url}/register",
            f"--gcm-mcs-endpoint=https://{MCS_HOST}:{mcs_port}",
        ]

    # Over HTTP (google_apis/gcm/protocol/checkin.proto; the registration is a form)

    async def _check_in(self, request: web.Request) -> web.Response:
        if is_from_page(request):
            raise web.HTTPForbidden(text="no pages here")
        try:
            asked = protobuf.parse(await request.read())
        except MalformedError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        device = self._devices.get(first_number(asked, 2)) or self._new_device()
        answer = number(1, 1) + fixed64(7, device.number) + fixed64(8, device.token)
        return web.Response(body=answer, content_type="application/x-protobuf")

    def _new_device(self) -> Device:
        device = Device(secrets.randbits(62) + 1, secrets.randbits(62) + 1)
        self._devices[device.number] = device
        return device

    async def _register(self, request: web.Request) -> web.Response:
        device = self._authorized(request.headers.get("Authorization", ""))
        if device is None:
            raise web.HTTPUnauthorized(text="Error=AUTHENTICATION_FAILED")
        form = {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
        subtype = form.get("X-subtype", "")
        if "delete" in form:
            device.remove(subtype)
            return web.Response(text=f"token={subtype}")
        if not subtype:  # Chromium's own registration at its start, of no page
            return web.Response(text=f"token={secrets.token_urlsafe(32)}")
        browser = self._browser(device, Registration(form.get("app", ""), subtype, form.get("sender", "")))
        return web.Response(text=f"token={browser.token}")

    def _authorized(self, header: str) -> Device | None:
        number_text, _, token = header.removeprefix("AidLogin ").partition(":")
        return self._device(number_text, token)

    def _device(self, number_text: str, token: str) -> Device | None:
        device = self._devices.get(int(number_text)) if number_text.isdecimal() else None
        return device if device is not None and token == str(device.token) else None

    def _browser(self, device: Device, registration: Registration) -> ChromiumBrowser:
        browsers = self._world.browsers
        browser = device.browsers.get(registration)
        if browser is None or browsers.get(browser.id) is None:
            browser = ChromiumBrowser(browsers.new_id(PushServiceName.FCM), registration)
            device.browsers[registration] = browser
            browsers.add(browser)
            if device.link is not None:
                browser.connect(device.link, time.time())
        return browser

    # Over MCS

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        self._links.add(link)
        device = None
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                device = await self._log_in(reader, writer, link)
            while device is not None:
                self._take(*await mcs.read_frame(reader), link)
        except (asyncio.IncompleteReadError, ConnectionError, MalformedError, TimeoutError):
            pass  # it went away, or does not speak the protocol: either way the connection ends
        finally:
            self._links.discard(link)
            if device is not None:
                device.disconnect(link)
            writer.close()

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> Device | None:
        await mcs.read_version(reader)
        tag, fields = await mcs.read_frame(reader)
        login = mcs.login(fields)
        device = self._device(login.device, login.token) if tag == mcs.Tag.LOGIN_REQUEST else None
        if device is not None:
            writer.write(bytes([mcs.VERSION]))
            link.send(mcs.LOGIN_ANSWER)
            device.connect(link, login.received, self._world.receptions)
        return device

    def _take(self, tag: int, fields: Fields, link: Link) -> None:
        if tag == mcs.Tag.HEARTBEAT_PING:
            link.send(mcs.HEARTBEAT_ANSWER)
        elif tag == mcs.Tag.IQ_STANZA:
            link.acknowledge(mcs.last_stream_id_received(fields), time.time(), self._world.receptions)
