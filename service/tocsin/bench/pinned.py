"""`python -m tocsin.bench.pinned CPU COMMAND …`: becomes the command, on that one CPU where the system can pin."""

import os
import sys

if __name__ == "__main__":
    cpu, *command = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(cpu)})
    os.execvp(command[0], command)  # noqa: S606 (the command is the benchmark's own)
