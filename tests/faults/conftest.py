"""All faults that were asked for are begun before the first test; theirs come last and collect what came of them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from faults.background import Background
from faults.catalogue import FAULTS
from faults.towns import clocks_can_move

BEGUN = pytest.StashKey[Background]()


def _are_faults(item: pytest.Item) -> bool:
    return "begun" in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After every other, in whatever order these are: then most of what they wait for has been."""
    items.sort(key=_are_faults)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    asked = [item.callspec.params["fault"] for item in session.items if _are_faults(item)]  # type: ignore[attr-defined]
    names = [name for name in asked if clocks_can_move() or not FAULTS[name].clock]
    if not names or session.config.option.collectonly:
        return (yield)
    with TemporaryDirectory(prefix="tocsin-faults-") as folder:
        session.stash[BEGUN] = Background(names, Path(folder) / "errors.log")
        try:
            return (yield)
        finally:
            session.stash[BEGUN].close()


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Background:
    """`begun.result(name)` waits for that fault."""
    return request.session.stash[BEGUN]
