"""`tocsin subscriptions`: taken over from elsewhere, taken along, erased, counted."""

import asyncio
import hmac
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from tocsin import clock
from tocsin.cli.dump import Entry, Rules, dumped, lines, named
from tocsin.cli.opened import console, opened
from tocsin.domain.errors import Changed, Ended, Fault, Invalid, Misconfigured, NotFound, UnknownRecord
from tocsin.domain.subscriptions import Record, parse_public_id
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import Settings
from tocsin.store.census import everyone
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from tocsin.store.suppression import KEEP_DAYS

app = typer.Typer(help="Import, export, erase and count subscriptions.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
AT_ONCE = 50
MAX_FAULTS = 20


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL: an object for each subscription.", exists=True, dir_okay=False)],
    key: Annotated[str | None, typer.Option(help="Id of the VAPID key, for lines that name none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Takes subscriptions over. All lines are checked before any is kept; a repeat changes nothing."""
    print_counts(asyncio.run(_import(file, key)), as_json)


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="A new file, for its owner alone; else standard output.")] = None,
) -> None:
    """Writes every subscription as a line of JSON, with preferences and consent; `import` reads it."""
    with _target(file) as target:
        unreadable = asyncio.run(_export(target))
    if unreadable:
        raise UnknownRecord(f"{unreadable:,} records have a form that this program does not know, and were left out")


@app.command("erase")
def erase(
    ids: Annotated[list[str], typer.Argument(help="Public ids, as the API and an export have them.")],
    as_json: AsJson = False,
) -> None:
    """Forgets these browsers and all that is held on them. They stay away: for 180 days neither their page nor an
    import brings them back, until their reader subscribes anew."""
    digests = {text: parse_public_id(text) for text in ids}
    if wrong := [text for text, digest in digests.items() if digest is None]:
        message = "is no id of a subscription: 22 base64url characters"
        raise Invalid([Fault("id", f"{text[:40]!r} {message}") for text in wrong])
    erased = asyncio.run(_erase({text: digest for text, digest in digests.items() if digest}))
    unknown = [text for text in digests if text not in erased]
    if as_json:
        print(json.dumps({"erased": erased, "unknown": unknown}))  # noqa: T201
    else:
        console().print(f"{len(erased)} erased; they stay away for {KEEP_DAYS} days")
    if unknown:
        raise NotFound(f"not here: {', '.join(unknown)}")


@app.command("count")
def count(as_json: AsJson = False) -> None:
    """How many there are at each push service."""

    async def run() -> tuple[dict[str, int], dict[str, int]]:
        async with opened() as (store, _):
            return await store.numbers.counts(), await store.numbers.quarantined()

    counts, quarantined = asyncio.run(run())
    if as_json:
        whole = {"total": sum(counts.values()), "by_push_service": counts, "quarantined": quarantined}
        print(json.dumps(whole, indent=2))  # noqa: T201
        return
    columns = [Column(name, justify="right") for name in ("Subscriptions", "Called gone")]
    table = Table("Push service", *columns, box=None)
    for name, number in counts.items():
        table.add_row(name, f"{number:,}", f"{quarantined.get(name, 0):,}")
    table.add_row("all", f"{sum(counts.values()):,}", f"{sum(quarantined.values()):,}")
    console().print(table)


def print_counts(counts: dict[str, int], as_json: bool) -> None:
    if as_json:
        print(json.dumps(counts))  # noqa: T201
        return
    console().print(
        f"{counts['imported']:,} imported, {counts['known']:,} known already and left as they are"
        + (f", {counts['differing']:,} known with other keys and left as they are" if counts["differing"] else "")
        + (f", {counts['erased']:,} erased on request and left out" if counts["erased"] else "")
    )


async def _import(file: Path, key: str | None) -> dict[str, int]:
    async with opened() as (store, settings):
        rules = await _rules(store, settings, key)
        total = _check(file, rules)
        counts = {"imported": 0, "known": 0, "differing": 0, "erased": 0}
        oldest_ms = await store.alerts.oldest_ledger_ms(_now_ms())
        with _progress("importing", total) as progress:
            for some in _batches(rules.entry(text) for _, text in lines(file)):
                for what in await asyncio.gather(*(_take(store, entry, oldest_ms) for entry in some)):
                    counts[what] += 1
                progress.advance(progress.task_ids[0], len(some))
        return counts


async def _rules(store: Store, settings: Settings, key: str | None) -> Rules:
    keys = ServerKeys(settings.vapid_file, settings.vapid_subject)
    try:
        key_id = bytes.fromhex(key) if key else keys.present.key_id
    except ValueError:
        key_id = b""
    if key_id not in keys.all:
        raise Invalid.at("--key", "is no key in force: see `tocsin keys vapid list`")
    topics, defaults = await store.topics.ids(), await store.topics.default_preferences()
    return Rules(settings, topics, defaults, frozenset(keys.all), key_id)


def _check(file: Path, rules: Rules) -> int:
    """How many lines there are. Raises Invalid with the first faults, before anything is kept."""
    total, faults = 0, list[Fault]()
    for number, text in lines(file):
        total += 1
        try:
            rules.entry(text)
        except Invalid as error:
            faults += named(number, error)
            if len(faults) >= MAX_FAULTS:
                faults.append(Fault("after that", "nothing was looked at"))
                break
    if faults:
        raise Invalid([*faults, Fault("import", "nothing was kept; mend the file and run it again")])
    return total


async def _take(store: Store, entry: Entry, oldest_ms: int) -> str:
    """Whoever is here already has said since then what they wish, also one whom a push service called gone."""
    try:
        seen = await store.subscriptions.look(entry.subscription.digest)
    except Ended:
        return "erased"
    record = seen.kept.record if seen.kept else None
    if record is None and (address := await store.subscriptions.find_quarantined(entry.subscription.digest)):
        record = await store.quarantine.record(address)
    if record is not None:
        same = hmac.compare_digest(record.auth, entry.subscription.auth)
        return "known" if same else "differing"
    for _ in range(5):
        try:
            kept = await store.subscriptions.add(
                entry.subscription, entry.preferences, entry.key_id, _now_ms(), oldest_ms, created=entry.created
            )
            if entry.consent and not kept.consent:
                await store.subscriptions.set_consent(kept, entry.consent)
        except Changed:
            continue
        except Ended:
            return "erased"
        return "imported"
    return "differing"


async def _export(target: IO[str]) -> int:
    """How many could not be read."""
    unreadable = 0

    async with opened() as (store, _):

        async def line(packed: bytes) -> str | None:
            try:
                kept = await store.subscriptions.get(Record.unpack(packed).digest)
            except UnknownRecord:
                return ""
            return dumped(kept) if kept else None  # who left meanwhile is not in it

        with _progress("exporting", sum((await store.numbers.counts()).values())) as progress:
            batch: list[bytes] = []

            async def flush() -> int:
                found = await asyncio.gather(*map(line, batch))
                target.writelines(f"{each}\n" for each in found if each)
                progress.advance(progress.task_ids[0], len(batch))
                batch.clear()
                return found.count("")

            async for _address, packed in everyone(store):
                batch.append(packed)
                if len(batch) >= AT_ONCE:
                    unreadable += await flush()
            unreadable += await flush()
    return unreadable


async def _erase(digests: dict[str, bytes]) -> list[str]:
    erased = []
    async with opened() as (store, settings):
        prekeys = Prekeys(settings.prekey_server, settings.prekeys)
        for text, digest in digests.items():
            if address := await store.subscriptions.erase(digest, _now_ms()):
                await prekeys.drop(address)
                erased.append(text)
        await prekeys.close()
    return erased


@contextmanager
def _target(file: Path | None) -> Iterator[IO[str]]:
    """Endpoints and secrets are in it, so a file is its owner's alone."""
    if file is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from None
    with open(descriptor, "w", encoding="utf-8") as opened_file:
        yield opened_file


def _progress(what: str, total: int) -> Progress:
    """On standard error, where that is a terminal."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn())
    errors = Console(stderr=True)
    progress = Progress(*columns, console=errors, disable=not errors.is_terminal)
    progress.add_task(what, total=total)
    return progress


def _batches(entries: Iterator[Entry]) -> Iterator[tuple[Entry, ...]]:
    while some := tuple(islice(entries, AT_ONCE)):
        yield some


def _now_ms() -> int:
    return clock.milliseconds(clock.now())
