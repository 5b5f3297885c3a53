"""Commands against the tests' own servers, in an empty folder."""

from pathlib import Path

import pytest
from cli_run import Commands

from tocsin.domain.topics import parse_topics
from tocsin.settings import Settings
from tocsin.store.store import Store


@pytest.fixture
async def tocsin(servers: Settings, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """`await tocsin("alert", "list")`. The store has topics, and nothing else."""
    monkeypatch.chdir(tmp_path)
    await store.schema.check()
    await store.topics.set_first(parse_topics(servers.topics))
    return Commands(servers)
