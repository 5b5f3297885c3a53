"""A part of `tocsin up`: one process, started in a session of its own and restarted when it dies."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Part:
    """`ready_url` is a server's address, or the HTTP address that answers 200 when the part works; '' for neither.

    `held` are descriptors that the process keeps open.
    """

    name: str
    argv: list[str]
    ready_url: str = ""
    is_server: bool = False
    held: tuple[int, ...] = ()


def tocsin_part(name: str, *words: str, ready_url: str = "") -> Part:
    """A part that is one of our own commands."""
    return Part(name, [sys.executable, "-m", "tocsin.cli.main", *words], ready_url)


class Running:
    """A part at work. `deaths` counts how often it ended without being asked to."""

    def __init__(self, part: Part, environment: Mapping[str, str], log_dir: Path | None) -> None:
        self.part = part
        self.deaths = 0
        self._environment = {**os.environ, **environment}
        self._log_dir = log_dir
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        with contextlib.ExitStack() as stack:
            output = None
            if self._log_dir is not None:
                output = stack.enter_context((self._log_dir / f"{self.part.name}.log").open("ab"))
            self._process = await asyncio.create_subprocess_exec(
                *self.part.argv,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C at a terminal reaches us alone, so that we can end the parts in their order.
                start_new_session=True,
                pass_fds=self.part.held,
                preexec_fn=_death_signal(),
            )

    async def ended(self) -> int:
        assert self._process is not None  # noqa: S101 (started before anybody waits)
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill_session(self) -> None:
        """The process and its children, such as a worker's pool."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _death_signal() -> Callable[[], None] | None:
    """On Linux a part ends with us even when we are killed; looked up before the fork, where loading is safe."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return die_with_parent
