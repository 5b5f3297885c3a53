"""Python loads this at the start of every part of a town for faults: it lets a test poison a reader and move the clock.

Modules are watched for and not imported, so that no part loads what it would not.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

POISON, CLOCK = "FAULTS_POISON", "FAKETIME_TIMESTAMP_FILE"


def poison(module: Any) -> None:
    """A worker's process that makes an envelope for the endpoint in the file is killed at once, as if that reader's
    record crashed a library."""
    file = Path(os.environ[POISON])
    make = module.Envelope.__new__

    def make_or_die(kind: Any, url: str, *rest: Any, **named: Any) -> Any:
        if "worker" in sys.argv and file.exists() and file.read_text() == url:
            os.kill(os.getpid(), signal.SIGKILL)
        return make(kind, url, *rest, **named)

    module.Envelope.__new__ = make_or_die


def shift(module: Any) -> None:
    """`tocsin.clock` is as far from the true time as the file says, in the form of libfaketime, which moves the store's
    clock by the same file."""
    file, now = Path(os.environ[CLOCK]), module.now
    module.now = lambda: now() + timedelta(seconds=int(file.read_text()))


CHANGES: dict[str, Callable[[Any], None]] = {"tocsin.push.sender": poison, "tocsin.clock": shift}


class _Watch(importlib.abc.MetaPathFinder):
    """Stands before the usual finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = CHANGES.pop(name, None)
        spec = change and importlib.machinery.PathFinder.find_spec(name, path)
        if not change or not spec or not spec.loader:
            return None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


if POISON in os.environ and CLOCK in os.environ:
    sys.meta_path.insert(0, _Watch())
