"""No module hides from the layers, and no tracked file names a place that only one machine knows."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = [  # in pieces, since this file is searched as well
    ".".join(pieces)
    for pieces in [
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
    ]
]
A_HOME = re.compile(r"(?<![\w.\-/])/(?:work|root|home/\w+|Users/\w+)/")


def modules(folder: Path) -> set[str]:
    return {
        path.stem
        for path in folder.iterdir()
        if (path.is_dir() and any(path.rglob("*.py"))) or (path.suffix == ".py" and path.stem != "__init__")
    }


def test_every_module_is_on_a_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    on_a_layer = {name.strip(" ()") for layer in layers for name in re.split(r"[|:]", layer)}
    there = {f"tocsin.{name}" for name in modules(ROOT / "service" / "tocsin")} | modules(ROOT / "workers")
    assert there <= on_a_layer


def tracked_text() -> list[tuple[str, str]]:
    """Each file of the repository, or that is about to be, with its text."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        if os.environ.get("CI"):
            raise
        pytest.skip("not a git checkout, so nothing tells which files are tracked")
    files = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [(str(file.relative_to(ROOT)), file.read_text(errors="ignore")) for file in files]


def test_no_tracked_file_names_a_registry_or_a_home() -> None:
    found = []
    for name, text in tracked_text():
        found += [f"{name}: {host}" for host in REGISTRIES if host in text]
        found += [f"{name}: {match[0]}" for match in A_HOME.finditer(text)]
    assert found == []
