"""`tocsin subscriptions`: taken over from elsewhere, taken along, erased, counted."""

import asyncio
import hmac
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from tocsin import clock
from tocsin.cli.dump import Entry, Rules, Wrong, lines
from tocsin.cli.exporting import export_all, target_of
from tocsin.cli.opened import console, opened, progress
from tocsin.domain.errors import Changed, Ended, Fault, Invalid, NotFound, UnknownRecord
from tocsin.domain.subscriptions import Record, parse_public_id
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import Settings
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from tocsin.store.subscriptions import Elsewhere
from tocsin.store.suppression import KEEP_DAYS

app = typer.Typer(help="Import, export, erase and count subscriptions.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
AT_ONCE = 50


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL: an object for each subscription.", exists=True, dir_okay=False)],
    key: Annotated[str | None, typer.Option(help="Id of the VAPID key, for lines that name none.")] = None,
    without_topic: Annotated[
        list[str] | None, typer.Option(help="A topic that is gone: left out of the preferences that name it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Takes subscriptions over. All lines are checked before any is kept; a repeat changes nothing."""
    counts, left_out = asyncio.run(_import(file, key, without_topic or []))
    if as_json:
        print(json.dumps({**counts, "topics_left_out": left_out}))  # noqa: T201
        return
    console().print(
        f"{counts['imported']:,} imported, {counts['known']:,} known already and left as they are"
        + (f", {counts['differing']:,} known with other keys and left as they are" if counts["differing"] else "")
        + (f", {counts['erased']:,} erased on request and left out" if counts["erased"] else "")
    )
    for topic, count in left_out.items():
        console().print(f"topic {topic}: left out of the preferences of {count:,}")


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="A new file, for its owner alone; else standard output.")] = None,
) -> None:
    """Writes every subscription as a line of JSON, with preferences and consent; `import` reads it."""
    with target_of(file) as target:
        written = asyncio.run(export_all(target))
    told = f"{written.lines:,} subscriptions written{f' to {file}' if file else ''}"
    if written.called_gone:
        told += f"; {written.called_gone:,} whom their push service called gone are not in it"
    print(told, file=sys.stderr)  # noqa: T201
    if written.unreadable:
        raise UnknownRecord(
            f"{written.unreadable:,} records have a form that this program does not know, and were left out"
        )


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


async def _import(file: Path, key: str | None, without: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """How many became what, and of how many each of these topics was left out."""
    async with opened() as (store, settings):
        rules = await _rules(store, settings, key, frozenset(without))
        total = _check(file, rules)
        counts, left_out = {"imported": 0, "known": 0, "differing": 0, "erased": 0}, dict.fromkeys(without, 0)
        oldest_ms = await store.alerts.oldest_ledger_ms(_now_ms())
        with progress("importing", total) as (bar, task):
            for some in _batches(rules.entry(text) for _, text in lines(file)):
                became = await asyncio.gather(*(_take(store, entry, oldest_ms) for entry in some))
                for entry, what in zip(some, became, strict=True):
                    counts[what] += 1
                    for topic in entry.left_out if what == "imported" else ():
                        left_out[topic] += 1
                bar.advance(task, len(some))
        return counts, left_out


async def _rules(store: Store, settings: Settings, key: str | None, without: frozenset[str]) -> Rules:
    keys = ServerKeys(settings.vapid_file, settings.vapid_subject)
    try:
        key_id = bytes.fromhex(key) if key else keys.present.key_id
    except ValueError:
        key_id = b""
    if key_id not in keys.all:
        raise Invalid.at("--key", "is no key in force: see `tocsin keys vapid list`")
    topics, defaults = await store.topics.ids(), await store.topics.default_preferences()
    return Rules(settings, topics, without, defaults, frozenset(keys.all), key_id)


def _check(file: Path, rules: Rules) -> int:
    """How many lines there are. Raises Invalid with what is wrong, before anything is kept."""
    total, wrong = 0, Wrong()
    for number, text in lines(file):
        total += 1
        try:
            rules.entry(text)
        except Invalid as error:
            wrong.add(number, error)
            if wrong.is_full:
                break
    if wrong:
        rest = [Fault(f"after line {number}", "nothing was looked at")] if wrong.is_full else []
        last = Fault("import", "nothing was kept; mend the file and run it again")
        raise Invalid([*wrong.faults(), *rest, last])
    return total


async def _take(store: Store, entry: Entry, oldest_ms: int) -> str:
    """Whoever is here already has said since then what they wish, also one whom a push service called gone."""
    digest = entry.subscription.digest
    for _ in range(5):
        try:
            seen = await store.subscriptions.look(digest)
        except Ended:
            return "erased"
        record = seen.kept.record if seen.kept else None
        if record is None and (address := await store.subscriptions.find_quarantined(digest)):
            record = await store.quarantine.record(address)
        if record is not None:
            return _known(entry, record)
        created = _now_ms() // 1000 if entry.created is None else entry.created
        elsewhere = Elsewhere(created, entry.consent)
        try:
            kept = await store.subscriptions.add(
                entry.subscription, entry.preferences, entry.key_id, _now_ms(), oldest_ms, seen, elsewhere
            )
        except Changed:
            continue  # its browser is registering at this moment
        except Ended:
            return "erased"
        # Where that was quicker, it is what the browser said that is kept.
        return "imported" if kept.preferences == entry.preferences else _known(entry, kept.record)
    raise Changed("the import was broken off: a browser in it is being registered; run it again")


def _known(entry: Entry, record: Record) -> str:
    return "known" if hmac.compare_digest(record.auth, entry.subscription.auth) else "differing"


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


def _batches(entries: Iterator[Entry]) -> Iterator[tuple[Entry, ...]]:
    while some := tuple(islice(entries, AT_ONCE)):
        yield some


def _now_ms() -> int:
    return clock.milliseconds(clock.now())
