"""The locks hold all that pyproject.toml asks for, with hashes, and agree with each other. `make lock` mends them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["build"]
DEV = RUN + PYPROJECT["project"]["optional-dependencies"]["dev"]
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^ ]+)(?P<rest>.*(?:\n +--hash=.*)*)", re.M)


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for pin in PIN.finditer((ROOT / lock).read_text()):
        found.setdefault(pin["name"], set()).add(pin["version"])
    return found


@pytest.mark.parametrize(("lock", "asked"), [("requirements.lock", RUN), ("requirements-dev.lock", DEV)])
def test_the_lock_holds_what_pyproject_asks_for(lock: str, asked: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, asked):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        assert any(requirement.specifier.contains(version) for version in versions), f"{requirement}: make lock"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_a_hash_and_no_line_names_a_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert all("--hash=sha256:" in pin["rest"] for pin in PIN.finditer(text))
    assert "://" not in text
    assert "--index" not in text


def test_the_dev_lock_holds_the_other_one() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run
