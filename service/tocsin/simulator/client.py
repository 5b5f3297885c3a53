"""A typed client of the control interface, for the demo and for tests."""

from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
from pydantic import BaseModel, TypeAdapter

from tocsin.simulator.faults import Fault
from tocsin.simulator.models import (
    BrowserDetail,
    BrowserView,
    FaultList,
    FaultMap,
    LogLine,
    LogPage,
    Received,
    Summary,
)
from tocsin.simulator.services import PushServiceName

_BROWSER_LIST = TypeAdapter(list[BrowserView])


class SimulatorError(Exception):
    """The simulator refused a call; the text says which field and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class SimulatorClient:
    """Calls of one simulator; `async with SimulatorClient(control_url) as simulator`."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No time limit: making a hundred thousand browsers takes a while.
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # Browsers

    async def create_browsers(
        self,
        count: int,
        push_services: str | dict[str, float],
        application_server_key: str,
        *,
        host: str | None = None,
    ) -> list[BrowserView]:
        body = {
            "count": count,
            "push_services": push_services,
            "application_server_key": application_server_key,
            "host": host,
        }
        return _BROWSER_LIST.validate_json(await self._call("POST", "/browsers", body))

    async def browsers(self) -> list[BrowserView]:
        return _BROWSER_LIST.validate_json(await self._call("GET", "/browsers"))

    async def delete_browsers(self) -> None:
        await self._call("DELETE", "/browsers")

    async def browser(self, browser_id: str) -> BrowserDetail:
        return BrowserDetail.model_validate_json(await self._call("GET", f"/browsers/{browser_id}"))

    async def change_browser(
        self, browser_id: str, *, online: bool | None = None, unsubscribed: bool | None = None
    ) -> BrowserView:
        body = {"online": online, "unsubscribed": unsubscribed}
        return BrowserView.model_validate_json(await self._call("PATCH", f"/browsers/{browser_id}", body))

    async def received(self, alert: str) -> dict[str, int]:
        """Browser id → how often it received the alert."""
        answer = await self._call("GET", "/received", query={"alert": alert})
        return Received.model_validate_json(answer).browsers

    # Faults

    async def set_faults(self, target: str, *faults: Fault) -> None:
        """Replace the faults of a browser (its id) or of a push service (its name)."""
        await self._call("PUT", f"/faults/{target}", FaultList(faults=list(faults)))

    async def faults(self) -> dict[str, list[Fault]]:
        return FaultMap.model_validate_json(await self._call("GET", "/faults")).faults

    async def clear_faults(self, target: str | None = None) -> None:
        """Of one target, or of all."""
        await self._call("DELETE", "/faults" if target is None else f"/faults/{target}")

    # What happened

    async def log(
        self,
        *,
        push_service: PushServiceName | str | None = None,
        browser: str | None = None,
        status: int | Literal["none"] | None = None,
        alert: str | None = None,
        fault: str | None = None,
        limit: int = 1_000,
    ) -> list[LogLine]:
        """The latest lines that match, oldest first."""
        wanted = {
            "push_service": push_service,
            "browser": browser,
            "status": status,
            "alert": alert,
            "fault": fault,
            "limit": limit,
        }
        query = {name: str(value) for name, value in wanted.items() if value is not None}
        return LogPage.model_validate_json(await self._call("GET", "/log", query=query)).lines

    async def clear_log(self) -> None:
        """Forget log, counts and receptions; browsers keep their messages."""
        await self._call("DELETE", "/log")

    async def summary(self) -> Summary:
        return Summary.model_validate_json(await self._call("GET", "/summary"))

    async def _call(
        self,
        method: str,
        path: str,
        body: BaseModel | dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> bytes:
        if self._session is None:
            raise RuntimeError("use SimulatorClient as a context manager")
        content = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
        async with self._session.request(method, self._url + path, json=content, params=query) as response:
            answer = await response.read()
            if response.status >= 400:
                raise SimulatorError(response.status, _detail(answer))
            return answer


def _detail(answer: bytes) -> str:
    try:
        return str(TypeAdapter(dict[str, Any]).validate_json(answer)["detail"])
    except (ValueError, KeyError):
        return answer.decode(errors="replace")
