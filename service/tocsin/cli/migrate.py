"""`tocsin migrate`: brings the store to the form of this version."""

import json

from rich.console import Console

from tocsin.cli.opened import console, reachable
from tocsin.settings import load
from tocsin.store.store import Store


async def migrate(as_json: bool) -> None:
    """Raises Misconfigured where it cannot be done, and Unavailable where no store answers."""
    settings, shown = load(), console()
    async with Store(settings) as store:
        await reachable(store, settings)
        migrated = await store.schema.migrate(Console(stderr=True, markup=False, highlight=False).print)
    if as_json:
        shown.print(json.dumps({"from": migrated.before, "to": migrated.after, **migrated.done}), soft_wrap=True)
    elif migrated.before == migrated.after:
        shown.print(f"The store has schema {migrated.after} already: there is nothing to do.")
    else:
        moved = ", ".join(f"{count} {name}" for name, count in migrated.done.items())
        shown.print(f"The store had schema {migrated.before} and has {migrated.after} now: {moved} moved.")
