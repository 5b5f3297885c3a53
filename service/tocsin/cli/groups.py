"""Commands with commands of their own, imported when one of them is asked for.

They bring half of Tocsin along: without them the simulator and `--version` start in about half the time.
"""

import importlib
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperGroup

# In the order in which `--help` shows them; each is a module here with an `app`.
NAMES = ("alert", "topics", "subscriptions", "keys")


class Groups(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        self._load(NAMES)
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            self._load([cmd_name] if cmd_name in NAMES else NAMES)  # all of them, for "Did you mean"
        return super().get_command(ctx, cmd_name)

    def _load(self, names: Iterable[str]) -> None:
        for name in names:
            self.commands[name] = typer.main.get_group(importlib.import_module(f"tocsin.cli.{name}").app)
            self.commands[name].name = name
