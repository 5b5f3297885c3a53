"""`tocsin keys`: API keys, and the application server's VAPID keys (`vapid.py`)."""

import asyncio
import json
from typing import Annotated

import typer
from rich.table import Column, Table

from tocsin import clock
from tocsin.cli import vapid
from tocsin.cli.opened import console, opened
from tocsin.domain.errors import Invalid
from tocsin.domain.roles import Role
from tocsin.domain.text import text_fault
from tocsin.store.api_keys import ApiKey

app = typer.Typer(help="API keys, and the VAPID keys.", no_args_is_help=True)
api = typer.Typer(help="Keys with which editors, operators and programs call the API.", no_args_is_help=True)
MAX_NAME = 60
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]

app.add_typer(api, name="api")
app.add_typer(vapid.app, name="vapid")


@api.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[list[Role], typer.Option(help="May be given several times.")],
    as_json: AsJson = False,
) -> None:
    """Makes a key and prints it, this once."""
    if message := text_fault(name, 1, MAX_NAME):
        raise Invalid.at("name", message)

    async def run() -> tuple[ApiKey, str]:
        async with opened() as (store, _):
            return await store.api_keys.make(name, frozenset(role), clock.now())

    key, text = asyncio.run(run())
    print(json.dumps({"id": key.id, "key": text}) if as_json else text)  # noqa: T201


@api.command("list")
def list_(as_json: AsJson = False) -> None:
    """All keys, without the keys themselves."""

    async def run() -> list[ApiKey]:
        async with opened() as (store, _):
            return await store.api_keys.all()

    keys = asyncio.run(run())
    if as_json:
        shown = [{**key.model_dump(mode="json", exclude={"secret_hash"}), "roles": sorted(key.roles)} for key in keys]
        print(json.dumps(shown, indent=2))  # noqa: T201
        return
    table = Table(Column("Id", no_wrap=True), "Name", "Roles", "Made", box=None)
    for key in keys:
        table.add_row(key.id, key.name, ", ".join(sorted(key.roles)), f"{key.created_at:%Y-%m-%d}")
    console().print(table)


@api.command("delete")
def delete(key_id: str) -> None:
    """The key stops working at once."""

    async def run() -> None:
        async with opened() as (store, _):
            await store.api_keys.delete(key_id)

    asyncio.run(run())
