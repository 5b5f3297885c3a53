"""A desktop without a screen: it shows a browser's notifications by a list, and a test can click and close them.

On Linux, Firefox (libnotify) and Chromium hand their notifications over D-Bus to whichever program owns the name
`org.freedesktop.Notifications`. Here that is this class, on a bus of its own: what a browser shows, replaces and takes
away is what it tells a real desktop, and a click is the very signal that a real desktop sends.
Desktop Notifications Specification 1.2.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.asyncio import DBusConnection, open_dbus_connection

NAME = "org.freedesktop.Notifications"
PLACE = DBusAddress("/org/freedesktop/Notifications", interface=NAME)
# With "body-markup" a browser would escape the words; Chromium asks for "body" and "actions".
CAPABILITIES = ["actions", "body", "icon-static", "persistence"]
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={socket}</listen>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>"""
DISMISSED, CLOSED_BY_CALL = 2, 3
WAIT_SECONDS = 30.0

Found = TypeVar("Found")


@dataclass(frozen=True)
class Shown:
    """A notification on the desktop. `buttons`: key by label; "default" is the click beside the buttons."""

    number: int
    title: str
    body: str
    buttons: dict[str, str]


class Desktop:
    """`shown` is what is on it now, `history` everything that ever was, in order."""

    def __init__(self, connection: DBusConnection, address: str) -> None:
        self.address = address
        self.shown: dict[int, Shown] = {}
        self.history: list[Shown] = []
        self._connection = connection
        self._numbers = 0
        self._changed = asyncio.Condition()

    def titles(self) -> list[str]:
        return [shown.title for shown in self.shown.values()]

    async def shows(self, title: str, body: str | None = None) -> Shown:
        """The notification with these words, when it is there."""

        def wanted() -> Shown | None:
            matching = (one for one in self.shown.values() if one.title == title and body in (None, one.body))
            return next(matching, None)

        return await self._until(wanted, f"no notification {title!r}, {body!r}")

    async def takes_away(self, title: str) -> None:
        await self._until(lambda: title not in self.titles() or None, f"{title!r} stayed")

    async def click(self, title: str, button: str | None = None) -> None:
        """A click on the notification, or on one of its buttons by its label."""
        shown = await self.shows(title)
        key = "default" if button is None else shown.buttons[button]
        await self._signal("ActionInvoked", "us", (shown.number, key))
        await self._close(shown.number, DISMISSED)

    async def dismiss(self, title: str) -> None:
        """The reader wipes it away."""
        await self._close((await self.shows(title)).number, DISMISSED)

    def forget(self) -> None:
        """The browser that showed all this has ended."""
        self.shown.clear()
        self.history.clear()

    async def serve(self) -> None:
        """Answer the browsers, until cancelled."""
        while True:
            message = await self._connection.receive()
            if message.header.message_type is MessageType.method_call:
                await self._answer(message)

    async def _answer(self, message: Message) -> None:
        match message.header.fields[HeaderFields.member]:
            case "GetCapabilities":
                answer = new_method_return(message, "as", (CAPABILITIES,))
            case "GetServerInformation":
                answer = new_method_return(message, "ssss", ("desktop", "tests", "1", "1.2"))
            case "Notify":
                answer = new_method_return(message, "u", (await self._show(*message.body[1:]),))
            case "CloseNotification":
                await self._connection.send(new_method_return(message))
                return await self._close(message.body[0], CLOSED_BY_CALL)
            case _:
                answer = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
        await self._connection.send(answer)
        return None

    async def _show(self, replaces: int, _icon: str, title: str, body: str, actions: list[str], *_: Any) -> int:
        self._numbers += 1
        number = replaces or self._numbers
        shown = Shown(number, title, plain(body), dict(zip(actions[1::2], actions[::2], strict=True)))
        async with self._changed:
            self.shown[number] = shown
            self.history.append(shown)
            self._changed.notify_all()
        return number

    async def _close(self, number: int, reason: int) -> None:
        async with self._changed:
            if self.shown.pop(number, None) is None:
                return
            self._changed.notify_all()
        await self._signal("NotificationClosed", "uu", (number, reason))

    async def _signal(self, name: str, signature: str, body: tuple[Any, ...]) -> None:
        await self._connection.send(new_signal(PLACE, name, signature, body))

    async def _until(self, found: Callable[[], Found | None], otherwise: str) -> Found:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                while (value := found()) is None:
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise AssertionError(f"{otherwise}; the desktop shows {list(self.shown.values())}") from None


def plain(body: str) -> str:
    """Chromium writes the site's host above the words, since a desktop would not tell it."""
    return re.sub(r"\A(?:<a href=[^>]*>[^<]*</a>|[\w.:-]+:\d+)\n\n", "", body)


@asynccontextmanager
async def open_desktop(folder: Path) -> AsyncIterator[Desktop]:
    """A message bus of its own in `folder`, and the desktop on it."""
    socket, config = folder / "bus", folder / "bus.conf"
    config.write_text(BUS.format(socket=socket))
    bus = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert bus.stdout is not None
    try:
        address = (await bus.stdout.readline()).decode().strip()
        async with await open_dbus_connection(address) as connection:
            await connection.send(message_bus.RequestName(NAME))
            desktop = Desktop(connection, address)
            serving = asyncio.create_task(desktop.serve())
            try:
                yield desktop
            finally:
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving
    finally:
        bus.terminate()
        await bus.wait()
