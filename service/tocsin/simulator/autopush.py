"""Firefox's push connection: the autopush WebSocket protocol, for real browsers on this machine.

Firefox speaks it to the server in its pref `dom.push.serverURL`. The endpoints it is given are Mozilla's, so that
pushes go the same way as to any other browser; here they leave for Firefox, which decrypts them by itself.
"""

import asyncio
import time
import uuid

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import ValidationError

from tocsin.simulator.autopush_messages import (
    FROM_FIREFOX,
    Ack,
    BroadcastSubscribe,
    FirefoxMessage,
    Hello,
    Nack,
    Ping,
    Register,
    Unregister,
)
from tocsin.simulator.encoding import decode, encode
from tocsin.simulator.firefox import Agent, FirefoxBrowser, Link
from tocsin.simulator.loopback import is_from_page, require_loopback_host
from tocsin.simulator.push_service import World
from tocsin.simulator.services import PushServiceName


class Autopush:
    """The server of the protocol: an aiohttp application with one WebSocket route."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agents: dict[str, Agent] = {}
        self._links: set[Link] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[require_loopback_host])
        application.router.add_get("/", self._serve)
        application.on_shutdown.append(self._close)
        return application

    async def _close(self, _: web.Application) -> None:
        for link in tuple(self._links):
            await link.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        # WebSockets know no same-origin rule: a page must not register here, Firefox itself may.
        if is_from_page(request):
            raise web.HTTPForbidden(text="no pages here")
        socket = web.WebSocketResponse(protocols=("push-notification",))
        await socket.prepare(request)
        link = Link(socket)
        writing = asyncio.create_task(link.write())
        self._links.add(link)
        conversation = _Conversation(self._world, self._agents, link)
        try:
            async for frame in socket:
                if frame.type is not WSMsgType.TEXT or not await conversation.take(frame.data):
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION)
        finally:
            self._links.discard(link)
            conversation.end()
            writing.cancel()
        return socket


class _Conversation:
    """What one connection says and is answered."""

    def __init__(self, world: World, agents: dict[str, Agent], link: Link) -> None:
        self._world = world
        self._agents = agents
        self._link = link
        self._agent: Agent | None = None

    async def take(self, text: str) -> bool:
        """Answer one frame; False if it breaks the protocol."""
        try:
            message = FROM_FIREFOX.validate_json(text)
        except ValidationError:
            return False
        if isinstance(message, Ping):
            self._link.send({})
        elif isinstance(message, Hello):
            await self._hello(message)
        elif self._agent is None:
            return False
        else:
            self._take_known(self._agent, message)
        return True

    def _take_known(self, agent: Agent, message: FirefoxMessage) -> None:
        match message:
            case Register():
                self._register(agent, message)
            case Unregister():
                self._unregister(agent, message)
            case Ack():
                self._acknowledge(agent, message)
            case Nack():
                agent.refuse(message.version)
            case BroadcastSubscribe():
                pass  # nothing is ever broadcast here, so there is nothing to answer

    def end(self) -> None:
        if self._agent is not None:
            self._agent.disconnect(self._link)

    async def _hello(self, message: Hello) -> None:
        """A known uaid is kept, so that subscriptions live on; any other Firefox gets a new one."""
        uaid = message.uaid if message.uaid in self._agents else uuid.uuid4().hex
        agent = self._agents.setdefault(uaid, Agent())
        self._agent = agent
        self._link.send({"messageType": "hello", "uaid": uaid, "status": 200, "use_webpush": True, "broadcasts": {}})
        await agent.connect(self._link)

    def _register(self, agent: Agent, message: Register) -> None:
        browsers = self._world.browsers
        browser = agent.channels.get(message.channel_id)
        if browser is None or browsers.get(browser.id) is None:
            browser_id = browsers.new_id(PushServiceName.MOZILLA)
            browser = FirefoxBrowser(browser_id, message.channel_id, _plain_key(message.key))
            agent.channels[message.channel_id] = browser
            browsers.add(browser)
            browser.connect(self._link, time.time())
        self._link.send(
            {
                "messageType": "register",
                "channelID": message.channel_id,
                "status": 200,
                "pushEndpoint": browser.endpoint,
            }
        )

    def _unregister(self, agent: Agent, message: Unregister) -> None:
        browser = agent.channels.pop(message.channel_id, None)
        if browser is not None:
            browser.unsubscribed = True
            browser.disconnect()
        self._link.send({"messageType": "unregister", "channelID": message.channel_id, "status": 200})

    def _acknowledge(self, agent: Agent, message: Ack) -> None:
        now = time.time()
        for update in message.updates:
            browser = agent.channels.get(update.channel_id)
            if browser is not None:
                browser.acknowledge(update.version, now, self._world.receptions)


def _plain_key(key: str | None) -> str:
    """The application server's key without padding; empty for a subscription that names none."""
    return encode(decode(key)) if key else ""
