"""`tocsin bench` as a person runs it, with so few messages that no figure means anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ["tocsin-fresh", "tocsin-prekeyed", "tocsin-including-prekeys", "pywebpush", "pywebpush-async"]


def bench(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tocsin.cli.main", "bench", *words]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=110, check=False
    )


def test_rows_plots_and_nothing_left_behind(tmp_path: Path) -> None:
    scratch, empty = tmp_path / "scratch", tmp_path / "empty"
    scratch.mkdir()
    empty.mkdir()
    words = ("--messages", "200", "--rounds", "1", "--json", "figures.json", "--plots", "plots")

    # No node and no go on this PATH.
    ran = bench(tmp_path, *words, TMPDIR=str(scratch), PATH=str(empty))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads((tmp_path / "figures.json").read_text())
    rows = {row["name"]: row for row in told["rows"]}
    assert all(rows[name]["messages_per_second"] > 0 for name in NAMES)
    assert all(rows[name]["cpu_microseconds_per_message"] > 0 for name in NAMES if sys.platform == "linux")
    for name, word in (("node-web-push", "npm install"), ("go-webpush", "golang")):
        assert rows[name]["state"] == "not_installed"
        assert word in rows[name]["note"]
    assert "not installed" in ran.stdout
    assert "no push service promises this rate" in ran.stdout
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["percentiles.svg", "throughput.svg"]
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("--json", "none/x.json"), ("--rounds", "0"), ("--plots", "file"), ("--peers", "no")]
)
def test_wrong_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()

    ran = bench(tmp_path, *words)

    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert words[0].strip("-") in ran.stderr
