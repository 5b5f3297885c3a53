"""Python loads this at the start of every part of a town for faults. It can poison one reader, for the test's sake.

A worker's process that makes an envelope for the endpoint named in the file FAULTS_POISON is killed at once, as if that
reader's record crashed a library. The module is watched for and not imported, so that no part loads what it would not.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

MODULE = "tocsin.push.sender"


def poison(module: Any) -> None:
    file = Path(os.environ["FAULTS_POISON"])
    make = module.Envelope.__init__

    def make_or_die(self: Any, url: str, *rest: Any, **named: Any) -> None:
        if "worker" in sys.argv and file.exists() and file.read_text() == url:
            os.kill(os.getpid(), signal.SIGKILL)
        make(self, url, *rest, **named)

    module.Envelope.__init__ = make_or_die


class _Watch(importlib.abc.MetaPathFinder):
    """Stands before the usual finders for one module, once."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_poison(module: ModuleType) -> None:
                load(module)
                poison(module)

            spec.loader.exec_module = load_and_poison  # type: ignore[method-assign]
        return spec


if "FAULTS_POISON" in os.environ:
    sys.meta_path.insert(0, _Watch())
