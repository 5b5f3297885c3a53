"""`make browser ARGS=--pictures=docs/images` keeps the pictures of the pages that the README shows."""

from pathlib import Path

import pytest


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    folder: str | None = request.config.getoption("--pictures")
    return Path(folder) if folder else None
