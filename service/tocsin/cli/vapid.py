"""`tocsin keys vapid`: the keys with which push services know this server."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from tocsin.cli.opened import console, opened
from tocsin.domain.errors import Conflict, Invalid, Misconfigured, Unavailable
from tocsin.push.vapid import ApplicationServer
from tocsin.push.vapid_files import changing, install, keep_older, read_foreign
from tocsin.push.vapid_files import retire as delete_key
from tocsin.push.vapid_files import rotate as make_new
from tocsin.push.vapid_keys import ServerKeys, older_folder
from tocsin.settings import Settings, load
from tocsin.store.census import by_key
from tocsin.store.store import Store

app = typer.Typer(help="The keys with which push services know this server.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command("show")
def show() -> None:
    """The public key, which browsers subscribe with; makes the pair when there is none."""
    settings = load()
    server = ApplicationServer.load_or_make(settings.vapid_file, settings.vapid_subject)
    print(server.public_key)  # noqa: T201


@app.command("adopt")
def adopt() -> None:
    """Begins anew with the key that is there. Readers of another one get alerts again when they come back."""
    settings = load()
    server = ApplicationServer.load(settings.vapid_file, settings.vapid_subject)
    asyncio.run(_adopt(settings, server))


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The keys in force, and how many browsers subscribed with each."""
    settings = load()
    keys = ServerKeys(settings.vapid_file, settings.vapid_subject)
    counts = asyncio.run(_counts())
    states = dict.fromkeys(keys.all, "older") | {keys.present.key_id: "present"}
    states |= {key_id: "missing" for key_id in counts if key_id not in states}
    rows = [
        {
            "id": key_id.hex(),
            "state": state,
            "subscriptions": counts[key_id],
            "public_key": keys.all[key_id].public_key if key_id in keys.all else None,
        }
        for key_id, state in states.items()
    ]
    if as_json:
        print(json.dumps({"keys": rows}, indent=2))  # noqa: T201
        return
    table = Table(Column("Id", no_wrap=True), "State", "Subscriptions", Column("Public key", no_wrap=True), box=None)
    for row in rows:
        public_key = row["public_key"] or "not here"
        table.add_row(str(row["id"]), str(row["state"]), f"{row['subscriptions']:,}", str(public_key))
    console().print(table)


@app.command("rotate")
def rotate() -> None:
    """A new key for new subscriptions. Those that there are go on with the old one, until each has come back."""
    settings = load()
    with changing(settings.vapid_file):
        asyncio.run(_check_ours(settings))
        made = make_new(settings.vapid_file, settings.vapid_subject)
        asyncio.run(_adopt(settings, made))
    _told(made, settings)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="PEM (PKCS8 or SEC1), raw base64url, or JSON with `privateKey`.")],
    older: Annotated[
        bool, typer.Option("--older", help="Only for those who subscribed with it; new ones use the present key.")
    ] = False,
) -> None:
    """Takes over the key of another provider: browsers that subscribed with it need not be asked again."""
    settings = load()
    pem = read_foreign(file)
    with changing(settings.vapid_file):
        if settings.vapid_file.exists():
            asyncio.run(_check_ours(settings))
        elif older:
            raise Misconfigured(f"{settings.vapid_file}: there is no present key yet; import it without --older")
        if older:
            key = keep_older(pem, settings.vapid_file)
            console().print(f"{key.key_id.hex()} is in force for those who subscribed with it")
            return
        made = install(pem, settings.vapid_file, settings.vapid_subject)
        asyncio.run(_adopt(settings, made))
    _told(made, settings)


@app.command("retire")
def retire(
    key_id: Annotated[str, typer.Argument(help="Of an older key, as `list` shows it.")],
    force: Annotated[bool, typer.Option("--force", help="Although browsers still use it.")] = False,
) -> None:
    """Deletes an older key for good, once nobody uses it any more."""
    settings = load()
    try:
        wanted = bytes.fromhex(key_id)
    except ValueError:
        raise Invalid.at("key_id", "is eight hexadecimal digits, as `tocsin keys vapid list` shows them") from None
    used = asyncio.run(_counts())[wanted]
    if used and not force:
        raise Conflict(
            f"{used:,} browsers subscribed with {wanted.hex()}: without it they get nothing until they come back to "
            "the page; --force retires it all the same"
        )
    with changing(settings.vapid_file):
        delete_key(settings.vapid_file, wanted)
    console().print(f"{wanted.hex()} is gone here; delete its copies on other machines, too")


async def _counts() -> Counter[bytes]:
    async with opened() as (store, _):
        return await by_key(store)


async def _check_ours(settings: Settings) -> None:
    """Raises Misconfigured where the key that is there is not the store's."""
    keys = ServerKeys(settings.vapid_file, settings.vapid_subject)
    agrees = True
    with suppress(Unavailable):
        async with Store(settings) as store:
            agrees = await store.identity.agrees(*keys.all)
    if not agrees:
        raise Misconfigured(
            f"{settings.vapid_file} is not the key in force: it was rotated on another machine, so copy the "
            "files from there; or begin anew with this one by `tocsin keys vapid adopt`"
        )


async def _adopt(settings: Settings, server: ApplicationServer) -> None:
    """A store that is away learns of it at its next start."""
    with suppress(Unavailable):
        async with Store(settings) as store:
            await store.identity.adopt(server.key_id)


def _told(server: ApplicationServer, settings: Settings) -> None:
    file = settings.vapid_file
    console().print(f"{server.key_id.hex()} is the present key: browsers subscribe with {server.public_key}")
    folder = older_folder(file)
    copied = f"{file} and {folder}/" if folder.exists() else file
    console().print(f"Copy {copied} to every machine with workers, and into the backup")
