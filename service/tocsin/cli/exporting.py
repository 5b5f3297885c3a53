"""Every subscription as a line of JSON, for another Tocsin or for nobody but its owner."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tocsin.cli.dump import dumped
from tocsin.cli.opened import opened, progress
from tocsin.domain.errors import Misconfigured, UnknownRecord
from tocsin.domain.subscriptions import Record
from tocsin.store.census import everyone
from tocsin.store.store import Store

AT_ONCE = 50


@dataclass
class Written:
    """How many lines there are, and who has none: records of an unknown form, and browsers in quarantine."""

    lines: int = 0
    unreadable: int = 0
    called_gone: int = 0


async def export_all(target: IO[str]) -> Written:
    written = Written()
    async with opened() as (store, _):
        written.called_gone = sum((await store.numbers.quarantined()).values())
        with progress("exporting", sum((await store.numbers.counts()).values())) as (bar, task):
            batch: list[bytes] = []

            async def flush() -> None:
                found = await asyncio.gather(*(_line(store, packed) for packed in batch))
                target.writelines(f"{each}\n" for each in found if each)
                written.lines += sum(map(bool, found))
                written.unreadable += found.count("")
                bar.advance(task, len(batch))
                batch.clear()

            async for _address, packed in everyone(store):
                batch.append(packed)
                if len(batch) >= AT_ONCE:
                    await flush()
            await flush()
    return written


async def _line(store: Store, packed: bytes) -> str | None:
    """Empty for a record that this program does not know; None for one who left meanwhile."""
    try:
        kept = await store.subscriptions.get(Record.unpack(packed).digest)
    except UnknownRecord:
        return ""
    return dumped(kept) if kept else None


@contextmanager
def target_of(file: Path | None) -> Iterator[IO[str]]:
    """Endpoints and secrets are in it, so a file is its owner's alone; what is broken off leaves none, which might be
    taken for the whole."""
    if file is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from None
    try:
        with open(descriptor, "w", encoding="utf-8") as opened_file:
            yield opened_file
    except BaseException:
        file.unlink(missing_ok=True)
        raise
