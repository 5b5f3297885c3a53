"""The sink for granian (RSGI), where nginx is not installed: reads every body and answers 201."""

from typing import Any

_HEADERS = [("content-type", "text/plain")]


async def app(_scope: Any, protocol: Any) -> None:
    await protocol()
    protocol.response_empty(201, _HEADERS)
