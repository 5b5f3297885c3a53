"""Faults in a process of their own, beside all other tests: most of a fault is waiting.

`python -m faults.background NAME...` writes a JSON line to its output for each fault as it ends, and gives up what is
left when its input is closed: whoever started it is done, or dead.
"""

import asyncio
import json
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faults.catalogue import FAULTS
from faults.lanes import Job, Lanes
from faults.run import Result

SEED = 1
LANES = 2
SOURCES = Path(__file__).parents[1]


class Background:
    """Begun at once, in the order of `names`; what goes wrong with the process itself is written to `errors`."""

    def __init__(self, names: Sequence[str], errors: Path) -> None:
        self._results: dict[str, Future[Result]] = {name: Future() for name in names}
        self._errors = errors
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.background", *names],
                cwd=SOURCES,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,  # Ctrl-C reaches us alone: what it started ends in order
            )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def result(self, name: str) -> Result:
        """Waits for it. Raises RuntimeError where the fault broke its town, or the process ended before it."""
        return self._results[name].result()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._listener.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as lines:
                for line in lines:
                    self._hear(json.loads(line))
        finally:
            # However it ended, nobody waits for what will not come.
            for name, future in self._results.items():
                if not future.done():
                    future.set_exception(RuntimeError(f"ended before {name!r}: {self._errors.read_text()[-3000:]}"))

    def _hear(self, told: dict[str, Any]) -> None:
        future = self._results[told["fault"]]
        if "broken" in told:
            future.set_exception(RuntimeError(told["broken"]))
        else:
            future.set_result(Result(**told))


def tell(job: Job, result: Result | Exception) -> None:
    if isinstance(result, Result):
        told = asdict(result)
    else:
        told = {"fault": job.fault.name, "broken": "".join(traceback.format_exception(result)[-12:])}
    print(json.dumps(told), flush=True)  # noqa: T201


async def work(names: Sequence[str]) -> None:
    working = asyncio.create_task(Lanes([Job(FAULTS[name], SEED) for name in names], tell, full=False).work(LANES))
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    closed = asyncio.create_task(asked.read())
    await asyncio.wait({working, closed}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, closed):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1:]))
