"""What `make` says to a newcomer whose machine lacks something, and that a set-up cut off is done over.

Each test has its own copy of the files that the set-up reads; none of them reaches a registry.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys._base_executable  # type: ignore[attr-defined]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock", "scripts/make_venv.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": os.defpath, "HOME": str(checkout / "nowhere"), "LANG": "C.UTF-8", "PYTHON": PYTHON}
    command, environment = ["make", *words], bare | environment
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_make_alone_lists_the_targets(checkout: Path) -> None:
    answer = make(checkout)
    assert answer.returncode == 0
    assert {"make demo", "make test", "make check"} <= {
        " ".join(line.split()[:2]) for line in answer.stdout.splitlines()
    }


def test_no_python_at_all(checkout: Path) -> None:
    answer = make(checkout, "setup", PYTHON="python-of-nowhere")
    assert answer.returncode != 0
    assert "Tocsin needs Python 3.11 or newer; there is no python-of-nowhere (set PYTHON=...)" in answer.stderr


def test_an_old_python(checkout: Path) -> None:
    pretend = 'import sys; sys.version_info = (3, 9, 2, "final", 0); exec(sys.argv[2])'
    old = script(checkout / "python-old", f"#!/bin/sh\nexec {PYTHON} -c '{pretend}' \"$@\"\n")
    answer = make(checkout, "setup", PYTHON=old)
    assert answer.returncode != 0
    assert f"Tocsin needs Python 3.11 or newer; {old} is 3.9.2 (set PYTHON=...)" in answer.stderr


def test_a_python_without_ensurepip(checkout: Path) -> None:
    (checkout / "sitecustomize.py").write_text('import sys\nsys.modules["ensurepip"] = None\n')
    answer = make(checkout, "setup", PYTHONPATH=str(checkout))
    assert answer.returncode != 0
    assert "lacks ensurepip; on Debian or Ubuntu: apt install python3-venv" in answer.stderr


def test_a_registry_out_of_reach_and_a_set_up_done_over(checkout: Path) -> None:
    nobody = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1"}
    answer = make(checkout, "setup", **nobody)
    assert answer.returncode != 0
    assert "Tocsin: the package registry did not answer" in answer.stderr
    assert "Traceback" not in answer.stderr

    half_written = checkout / ".venv" / "half-written"
    half_written.touch()
    make(checkout, "setup", **nobody)
    assert (checkout / ".venv" / "bin" / "python").exists()
    assert not half_written.exists()
