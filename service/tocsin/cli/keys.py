"""`tocsin keys`: API keys, and the application server's VAPID key."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tocsin import clock
from tocsin.cli.opened import opened
from tocsin.domain.roles import Role
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import load

app = typer.Typer(help="API keys, and the VAPID key.", no_args_is_help=True)
api = typer.Typer(help="Keys with which editors, operators and programs call the API.", no_args_is_help=True)
vapid = typer.Typer(help="The key with which push services know this server.", no_args_is_help=True)
app.add_typer(api, name="api")
app.add_typer(vapid, name="vapid")


@api.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[list[Role], typer.Option(help="May be given several times.")],
) -> None:
    """Makes a key and prints it, this once."""

    async def run() -> str:
        async with opened() as (store, _):
            return (await store.api_keys.make(name, frozenset(role), clock.now()))[1]

    print(asyncio.run(run()))  # noqa: T201


@api.command("list")
def list_() -> None:
    """All keys, without the keys themselves."""

    async def run() -> None:
        table = Table("Id", "Name", "Roles", "Made", box=None)
        async with opened() as (store, _):
            for key in await store.api_keys.all():
                table.add_row(key.id, key.name, ", ".join(sorted(key.roles)), f"{key.created_at:%Y-%m-%d}")
        Console().print(table)

    asyncio.run(run())


@api.command("delete")
def delete(key_id: str) -> None:
    """The key stops working at once."""

    async def run() -> None:
        async with opened() as (store, _):
            await store.api_keys.delete(key_id)

    asyncio.run(run())


@vapid.command("show")
def show() -> None:
    """The public key, which browsers subscribe with; makes the pair when there is none."""
    settings = load()
    server = ApplicationServer.load_or_make(settings.vapid_file, settings.vapid_subject)
    print(server.public_key)  # noqa: T201
