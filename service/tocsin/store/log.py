"""The server's append-only file: it holds what was erased until it is written anew from what there is.

A rewrite is asked for some hours after the first erasure that the present file holds, so at most once in so long. Noted
is when that was (`first`); and of a rewrite at work from which erasure on it clears the file (`covering`), with the
server's life and count of rewrites before it: one that failed, or died with the server, is done again.

It is one server's file: a store that is a cluster is not supported (`client.py`), and `tocsin doctor` says so.
"""

from typing import Any

import structlog
from redis.exceptions import ResponseError

from tocsin.store.client import Server, answering

log = structlog.get_logger()

_KEY = "{site}:erased"


class Log:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._told = False

    async def erased(self, now_ms: int) -> None:
        async with answering():
            await self._server.redis.hsetnx(_KEY, "first", now_ms)

    async def tend(self, now_ms: int, after_ms: int) -> bool:
        """Has the file written anew where it is time; True where that was begun. Any number may do this at once."""
        async with answering():
            kept = {key.decode(): value.decode() for key, value in (await self._server.redis.hgetall(_KEY)).items()}
        if not kept:
            return False
        info = await self._info()
        if int(info["aof_rewrite_in_progress"]) or int(info["aof_rewrite_scheduled"]):
            return False
        if "covering" in kept and _is_done(kept, info):
            async with answering():
                await self._server.redis.hdel(_KEY, "covering", "life", "before")
            kept = {"first": kept["first"]} if "first" in kept else {}
        moments = [int(kept[name]) for name in ("covering", "first") if name in kept]
        if not moments or now_ms - min(moments) < after_ms:
            return False
        return await self._begin(kept.get("first", ""), kept.get("covering", ""), min(moments))

    async def _begin(self, first: str, covering: str, since_ms: int) -> bool:
        if not await self._server.run("begin_rewrite", [_KEY], first, covering, since_ms):
            return False
        async with answering():
            try:
                await self._server.redis.bgrewriteaof()
            except ResponseError:  # another hand was quicker, or nobody may ask for it here
                if not self._told:
                    log.warning("the store's log is not written anew: BGREWRITEAOF was refused")
                self._told = True
                return False
        self._told = False
        return True

    async def _info(self) -> dict[str, Any]:
        async with answering():
            return {**await self._server.redis.info("persistence"), **await self._server.redis.info("server")}


def _is_done(kept: dict[str, str], info: dict[str, Any]) -> bool:
    if not int(info["aof_enabled"]):  # there is no such file
        return True
    began = kept.get("life") == str(info["run_id"]) and int(info.get("aof_rewrites", 0)) > int(
        kept.get("before", 1 << 62)
    )
    return began and str(info["aof_last_bgrewrite_status"]) == "ok"
