"""Builds service/tocsin/push/derive.c when Tocsin is installed, where there are a C compiler and OpenSSL's headers.

Without them Tocsin is the same, and makes message keys more slowly (docs/decisions/0032). Hatchling calls this for a
wheel and for an editable installation; TOCSIN_BUILD_DERIVE=0 leaves it out, =1 makes a failure an error.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("service/tocsin/push/derive.c")
LIBRARY = SOURCE.with_name("_derive.so")
FLAGS = ("-O2", "-shared", "-fPIC", "-fvisibility=default", "-fstack-protector-strong", "-Wall", "-Wextra")


class DeriveHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        library = Path(self.root) / LIBRARY
        library.unlink(missing_ok=True)  # one of older sources must not stay
        wanted = os.environ.get("TOCSIN_BUILD_DERIVE", "")
        if wanted == "0":
            return
        if fault := build(Path(self.root) / SOURCE, library):
            if wanted == "1":
                raise RuntimeError(f"{SOURCE} was not built: {fault}")
            self.app.display_info(f"{SOURCE} is left out: {fault}")
            return
        build_data["artifacts"].append(f"/{LIBRARY}")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def build(source: Path, library: Path) -> str | None:
    """Makes the library; gives why there is none."""
    compiler = _compiler()
    if compiler is None:
        return "there is no C compiler"
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".build-") as folder:
        made = Path(folder) / library.name
        command = [compiler, *FLAGS, str(source), "-o", str(made), "-lcrypto"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if ran.returncode:
            return (ran.stderr.strip().splitlines() or ["the compiler failed"])[0]
        made.replace(library)
    return None


def _compiler() -> str | None:
    """The first that is there: what CC says, what Python was built with, cc."""
    for words in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc"):
        try:
            named = shlex.split(words or "")[:1]
        except ValueError:  # a quotation mark without its other
            continue
        if named and shutil.which(named[0]):
            return named[0]
    return None
