"""The library of `derive` is left out, and no installation fails, whatever the environment says of compilers."""

import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "service" / "tocsin" / "push" / "derive.c"


@pytest.fixture(scope="module")
def build() -> Callable[[Path, Path], str | None]:
    found: Callable[[Path, Path], str | None] = runpy.run_path(str(ROOT / "scripts" / "build_derive.py"))["build"]
    return found


@pytest.mark.parametrize("said", [" ", '"', "no-such-compiler -O3"])
def test_a_compiler_that_is_none_is_passed_over(
    build: Callable[[Path, Path], str | None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", said)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert build(SOURCE, tmp_path / "_derive.so") == "there is no C compiler"
