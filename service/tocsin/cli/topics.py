"""`tocsin topics`: what readers can follow."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from rich.table import Column, Table

from tocsin.cli.opened import console, invalid, opened
from tocsin.domain.errors import Invalid
from tocsin.domain.topics import MAX_TOPICS, Topic

app = typer.Typer(help="List topics, or set them from a file.", no_args_is_help=True)


class TopicFile(BaseModel):
    """`[[topics]]` tables with `id`, `name`, `description` and `default`, in the order in which readers see them."""

    model_config = ConfigDict(extra="forbid")

    topics: list[Topic] = Field(min_length=1, max_length=MAX_TOPICS)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """The topics, in the readers' order."""

    async def run() -> tuple[Topic, ...]:
        async with opened() as (store, _):
            return await store.topics.all()

    topics = asyncio.run(run())
    if as_json:
        print(TypeAdapter(tuple[Topic, ...]).dump_json(topics, indent=2).decode())  # noqa: T201
        return
    table = Table(Column("Id", no_wrap=True), "Name", "Default", "Description", box=None)
    for topic in topics:
        table.add_row(topic.id, topic.name, "yes" if topic.default else "", topic.description)
    console().print(table)


@app.command()
def apply(
    file: Annotated[
        Path,
        typer.Argument(help="TOML with a [[topics]] table for each, or `list --json`.", exists=True, dir_okay=False),
    ],
) -> None:
    """Sets the topics to those of a file. Readers of a topic that is no longer there keep their other ones."""
    topics = read_topics(file)

    async def run() -> None:
        async with opened() as (store, _):
            await store.topics.replace(topics)

    asyncio.run(run())
    console().print(f"{len(topics)} topics are in force")


def read_topics(file: Path) -> list[Topic]:
    """Of TOML, or of the JSON that `topics list` gives. Raises Invalid with each entry at fault."""
    try:
        text = file.read_text("utf-8")
        found = {"topics": json.loads(text)} if file.suffix == ".json" else tomllib.loads(text)
        topics = TopicFile.model_validate(found).topics
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Invalid.at(file.name, f"is not {'JSON' if file.suffix == '.json' else 'TOML'}: {error}") from None
    except ValidationError as error:
        raise invalid(error) from None
    ids = [topic.id for topic in topics]
    if repeated := {topic for topic in ids if ids.count(topic) > 1}:
        raise Invalid.at("topics", f"{', '.join(sorted(repeated))} is there twice")
    return topics
