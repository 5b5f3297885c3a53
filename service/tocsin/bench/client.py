"""`python -m tocsin.bench.client JOB`: one leg in a process of its own.

It sends the warm-up, says `ready`, waits for a line, sends the rest and prints its result: whoever started it reads
the CPU time of client and sink at those two moments, so that nothing but the messages is counted. Then it stays until
its input is closed or it is ended: of a process that is gone nobody can read the CPU time.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tocsin.bench import plan
from tocsin.bench.job import READY, Job, LegSender, MakeSender, Recipient, Result


def percentiles(moments: Sequence[float], began: float) -> list[float]:
    """Seconds from `began` until n percent of `moments` (ascending) had come, for n from 0 to 100."""
    return [moments[max(0, -(-n * len(moments) // 100) - 1)] - began for n in range(101)]


async def measure(leg: LegSender, job: Job, recipients: Sequence[Recipient]) -> Result:
    warm_up, rest = recipients[: job.warm_up], recipients[job.warm_up : job.warm_up + job.messages]
    moments: list[float] = []
    try:
        await leg.prepare(warm_up)
        await leg.send(warm_up, lambda: None)
        await leg.prepare(rest)
        # What was made ahead is nobody's garbage: without this, Python's collector walks it again and again.
        gc.collect()
        gc.freeze()
        print(READY, flush=True)  # noqa: T201 (the protocol with whoever started us)
        sys.stdin.readline()
        began = time.perf_counter()
        await leg.send(rest, lambda: moments.append(time.perf_counter()))
        seconds = time.perf_counter() - began
    finally:
        await leg.close()
    if len(moments) != len(rest):
        raise RuntimeError(f"{len(moments)} of {len(rest)} messages were accepted")
    return Result(messages=len(rest), seconds=seconds, percentiles=percentiles(moments, began))


async def run(job: Job) -> Result:
    # A leg loads only what it measures.
    module = "pywebpush_legs" if job.leg in plan.PYWEBPUSH_LEGS else "tocsin_legs"
    legs: dict[str, MakeSender] = import_module(f"tocsin.bench.{module}").LEGS
    recipients = json.loads(job.recipients_file.read_text())
    return await measure(legs[job.leg](job), job, recipients)


if __name__ == "__main__":
    the_job = Job.model_validate_json(Path(sys.argv[1]).read_text())
    print(asyncio.run(run(the_job)).model_dump_json(), flush=True)  # noqa: T201
    sys.stdin.read()
