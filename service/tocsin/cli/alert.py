"""`tocsin alert`: send, correct, retract, list, show and stop, by hand and in scripts."""

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Column, Table

from tocsin.cautions import Cautions
from tocsin.cli.opened import console, invalid, opened
from tocsin.domain.alerts import AlertDraft, Correction, Retraction
from tocsin.domain.deliveries import OUTCOMES
from tocsin.domain.levels import Level
from tocsin.jobs import WakeUps, celery_app
from tocsin.publishing import Publishing, Report, checked_idempotency_key

app = typer.Typer(help="Send, correct, list, show and stop alerts.", no_args_is_help=True)

AUTHOR = "command"
_ALWAYS = ("eligible", "accepted", "pending", "unaccounted")

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@asynccontextmanager
async def _publishing() -> AsyncIterator[tuple[Publishing, Cautions]]:
    async with opened() as (store, settings):
        wake_ups = WakeUps(celery_app(settings))
        cautions = Cautions(store, settings)
        try:
            yield Publishing(store, wake_ups, settings, cautions), cautions
        finally:
            await cautions.close()
            await wake_ups.close()


@app.command()
def send(
    headline: Annotated[str, typer.Option(help="1 to 120 characters.")],
    url: Annotated[str, typer.Option(help="Where a click leads; https.")],
    topic: Annotated[list[str], typer.Option(help="A topic; may be given several times.")],
    level: Annotated[Level, typer.Option(help="How big the news is.")],
    body: Annotated[str, typer.Option(help="Up to 300 characters.")] = "",
    story: Annotated[str | None, typer.Option(help="The running story that it belongs to.")] = None,
    language: Annotated[str | None, typer.Option(help="Such as en; readers of another do not get it.")] = None,
    send_at: Annotated[str | None, typer.Option(help="A time with its zone, such as 2026-03-01T12:00:00Z.")] = None,
    max_per_second: Annotated[int | None, typer.Option(help="Most requests a second.")] = None,
    key: Annotated[str, typer.Option(help="Idempotency-Key; give one to repeat the command safely.")] = "",
    watch: Annotated[bool, typer.Option(help="Wait until it is out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Queues an alert."""
    try:
        draft = AlertDraft.model_validate(
            {
                "headline": headline,
                "body": body,
                "url": url,
                "topics": topic,
                "level": level,
                "story": story,
                "language": language,
                "send_at": send_at,
                "max_per_second": max_per_second,
            }
        )
    except ValidationError as error:
        raise invalid(error) from None
    asked_with = checked_idempotency_key(key or secrets.token_urlsafe(16))

    async def run() -> None:
        async with _publishing() as (publishing, cautions):
            published = await publishing.earlier(draft, AUTHOR, asked_with)
            is_new = published is None
            if published is None:
                published = await publishing.queue(await publishing.check(draft, AUTHOR), asked_with)
            # It is on its way already; a person at a terminal is told of the link, too.
            warnings = await cautions.all(draft, (published.status.alert.id,)) if is_new else published.warnings
            for warning in warnings:
                print(f"tocsin: {warning.code}: {warning.detail}", file=sys.stderr)  # noqa: T201
            report = await publishing.report(published.status)
            while watch and report.status.ended_at is None:
                await asyncio.sleep(0.5)
                report = await publishing.find(published.status.alert.id)
            _show(report, as_json)

    asyncio.run(run())


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=100)] = 20, as_json: AsJson = False) -> None:
    """The latest alerts, newest first."""

    async def run() -> None:
        async with _publishing() as (publishing, _):
            reports = [await publishing.listed(status) for status in (await publishing.latest(limit)).statuses]
        if as_json:
            print(json.dumps([_as_json(report) for report in reports], indent=2))  # noqa: T201
            return
        table = Table(Column("Id", no_wrap=True), "State", "Level", "Accepted", "Eligible", "Headline", box=None)
        for report in reports:
            draft, progress = report.status.alert.draft, report.progress
            counts = f"{progress['accepted']:,}", f"{progress['eligible']:,}"
            table.add_row(report.status.alert.id, report.status.state, draft.level, *counts, draft.headline)
        console().print(table)

    asyncio.run(run())


@app.command()
def show(alert_id: str, as_json: AsJson = False) -> None:
    """One alert and its progress."""

    async def run() -> None:
        async with _publishing() as (publishing, _):
            _show(await publishing.find(alert_id), as_json)

    asyncio.run(run())


@app.command()
def correct(
    alert_id: str,
    headline: Annotated[str, typer.Option(help="What it should have said.")],
    body: Annotated[str | None, typer.Option(help="As it was, if not given.")] = None,
    url: Annotated[str | None, typer.Option(help="As it was, if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Corrects an alert for those who had it, and for those who still wait for it."""
    _follow_up(alert_id, Correction(headline=headline, body=body, url=url), as_json)


@app.command()
def retract(
    alert_id: str,
    reason: Annotated[str, typer.Option(help="What readers see under the headline.")],
    as_json: AsJson = False,
) -> None:
    """Takes an alert back, in front of those who had it."""
    _follow_up(alert_id, Retraction(reason=reason), as_json)


def _follow_up(alert_id: str, words: Correction | Retraction, as_json: bool) -> None:
    async def run() -> None:
        async with _publishing() as (publishing, _):
            published = await publishing.correct(alert_id, words, AUTHOR, None)
            _show(await publishing.report(published.status), as_json)

    asyncio.run(run())


@app.command()
def stop(alert_id: str, as_json: AsJson = False) -> None:
    """No request starts later than 2 s after this."""

    async def run() -> None:
        async with _publishing() as (publishing, _):
            _show(await publishing.report(await publishing.stop(alert_id)), as_json)

    asyncio.run(run())


def _as_json(report: Report) -> Mapping[str, Any]:
    status = report.status
    return {
        "id": status.alert.id,
        "state": status.state,
        "kind": status.alert.kind,
        "corrects": status.alert.root,
        **status.alert.draft.model_dump(mode="json", exclude={"state"}),
        "created_at": status.alert.queued_at.isoformat(),
        "progress": report.progress,
    }


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(report), indent=2))  # noqa: T201
        return
    progress = report.progress
    lines = console()
    lines.print(f"{report.status.alert.id}  {report.status.state}  {report.status.alert.draft.headline}")
    if not (report.status.state.is_terminal or progress["eligible"] or progress["skipped"]):
        # No shard is planned yet: its zeros would read as "nobody".
        lines.print(f"  who gets it is not counted yet; follow it with: tocsin alert show {report.status.alert.id}")
        return
    counts = [name for name in ("eligible", *OUTCOMES, "unaccounted") if progress[name] or name in _ALWAYS]
    lines.print("  " + "  ".join(f"{name} {progress[name]:,}" for name in counts))
    lines.print("  skipped: " + (", ".join(f"{name} {n:,}" for name, n in progress["skipped"].items()) or "none"))
