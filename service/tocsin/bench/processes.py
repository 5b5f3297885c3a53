"""The benchmark's own processes: pinned to a CPU, with their CPU time as the kernel counts it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Cpus:
    """One for the client and one for the sink; the same where there is only one, or the system cannot pin."""

    client: int
    sink: int

    @property
    def apart(self) -> bool:
        return self.client != self.sink


def choose_cpus() -> Cpus:
    """Two that are no two halves of one core, where there are such."""
    if not hasattr(os, "sched_getaffinity"):
        return Cpus(0, 0)
    free = sorted(os.sched_getaffinity(0))
    sink = free[0]
    others = [cpu for cpu in free if cpu not in _siblings(sink)] or free[1:]
    return Cpus(others[-1] if others else sink, sink)


def _siblings(cpu: int) -> set[int]:
    """The CPUs that share a core with this one, itself among them."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        text = path.read_text().strip()
    except OSError:
        return {cpu}
    ranges = [part.split("-") for part in text.split(",")]
    return {number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1)}


def pinned(cpu: int, command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tocsin.bench.pinned", str(cpu), *command]


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process and of its children that still run; None where it is gone, or there is no
    /proc."""
    if not _PROC.joinpath(str(pid), "stat").exists():
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold blanks; after it come state, parent and, as 12th and 13th, the times.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid or int(fields[1]) == pid:
            total += int(fields[11]) + int(fields[12])
    return total / ticks


def busy_seconds(cpu: int) -> float | None:
    """What this CPU has worked since the start of the machine, for whomever; None where there is no /proc/stat."""
    try:
        lines = (_PROC / "stat").read_text().splitlines()
    except OSError:
        return None
    fields = next(line.split() for line in lines if line.startswith(f"cpu{cpu} "))
    user, nice, system, _idle, _waiting, *rest = map(int, fields[1:])
    # After them hardware and software interrupts and what the hypervisor gave to others; guests are in user already.
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ends it, by force if it does not listen."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
