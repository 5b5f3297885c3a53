"""`--pictures FOLDER` keeps the pictures of the pages (make pictures)."""

from pathlib import Path

import pytest


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    folder: str | None = request.config.getoption("--pictures")
    return Path(folder) if folder else None
