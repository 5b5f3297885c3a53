"""Runs a command as a person does, and gives what it printed and how it ended."""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tocsin.cli.main import main
from tocsin.settings import Settings


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """`environment` leads to the tests' servers. In this process, which is quick: each command imports half of us."""

    def __init__(self, settings: Settings) -> None:
        self.environment = {
            "TOCSIN_STORE_URL": settings.store,
            "TOCSIN_BROKER_URL": settings.broker,
            "TOCSIN_PREKEY_URL": settings.prekey_server,
            "TOCSIN_LINK_CHECK": "off",
            "PATH": os.environ["PATH"],
        }

    async def __call__(self, *words: str, environment: Mapping[str, str] | None = None) -> Ran:
        return await asyncio.to_thread(run, words, {**self.environment, **(environment or {})})


def run(words: tuple[str, ...], environment: Mapping[str, str]) -> Ran:
    """No traceback is ever allowed, so this is where all tests look for one."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, dict(environment), clear=True),
        mock.patch.object(sys, "argv", ["tocsin", *words]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    for text in (out.getvalue(), err.getvalue()):
        assert "Traceback" not in text
    return Ran(code, out.getvalue(), err.getvalue())
