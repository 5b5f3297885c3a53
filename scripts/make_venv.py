"""Makes .venv ready: "run" for Tocsin itself, "dev" for its tests and checks as well.

It installs a lock with its hashes, by uv where that is on PATH and by pip where it is not, then Tocsin
itself, editable. Where that is done already, it says nothing; what was cut off, it does over.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
UNFINISHED = VENV / "unfinished"
BUILT = (ROOT / "scripts" / "build_derive.py", ROOT / "service" / "tocsin" / "push" / "derive.c")
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
MADE_FOR = f"{sys.base_prefix} {sys.version.split()[0]}"

Command: TypeAlias = Sequence[str | Path]
PIP_SOURCES = {"INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CERT", "PROXY", "CONFIG_FILE"}
PIP_INSTALL = ["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]

STEP = re.compile(r"Collecting (?P<package>\S+)|\s*(?P<other>(Downloading|Installing|Prepared|WARNING: Retry).*)")
CHATTER = re.compile(
    r"\s*(Downloading|Using|Installing|Getting|Preparing|Building wheel|Created|Stored|Collecting|Looking|Obtaining"
    r"|Ignoring|Requirement already|Resolved|Prepared|Processing|$)|WARNING: (Location|Running pip|The directory)"
)
UNREACHABLE = re.compile(
    r"connection|timed out|name resolution|not known|ProxyError|SSLError|certificate|sending request|dns error", re.I
)


def main(level: str) -> None:
    with Path(__file__).open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two at once would write over each other
        if stamp(level).is_file() and stamp(level).read_text() == state(level):
            return
        started = time.monotonic()
        uv = find_uv()
        if uv:
            spare_the_cache([uv], "UV_NO_CACHE")
        print(f"Tocsin: setting up .venv from {LOCKS[level].name} with {'uv' if uv else 'pip'}", flush=True)
        if not usable(uv):
            make(uv)
        UNFINISHED.touch()
        install(level, uv)
        for done in LOCKS if level == "dev" else [level]:  # the dev lock holds all of the other
            stamp(done).write_text(state(done))
        UNFINISHED.unlink()
        print(f"Tocsin: .venv is ready, after {time.monotonic() - started:.0f} s", flush=True)


def stamp(level: str) -> Path:
    return VENV / f"ready-{level}"


def state(level: str) -> str:
    """What .venv is made of, and for: it works in one folder and with one Python only."""
    sources = (ROOT / "pyproject.toml", LOCKS[level], Path(__file__))
    built = tuple(source for source in BUILT if source.is_file())
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources + built))
    return f"{VENV}\n{MADE_FOR}\n{digest.hexdigest()}\n"


def find_uv() -> str | None:
    """uv, unless only pip has been told where packages come from."""
    told_pip = any(os.environ.get(f"PIP_{name}") for name in PIP_SOURCES)
    told_uv = any(name.startswith("UV_") for name in os.environ)
    return None if told_pip and not told_uv else shutil.which("uv")


def usable(uv: str | None) -> bool:
    """Whole, made in this folder by this Python, and with pip where that is needed."""
    activate = VENV / "bin" / "activate"
    if UNFINISHED.exists() or not activate.is_file() or str(VENV) not in activate.read_text():
        return False
    probe = f"import sys{'' if uv else ', pip'}; print(sys.base_prefix, sys.version.split()[0])"
    try:
        answer = subprocess.run(
            [VENV / "bin" / "python", "-I", "-c", probe], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == MADE_FOR


def make(uv: str | None) -> None:
    python = getattr(sys, "_base_executable", sys.executable)  # not one inside the .venv that goes now
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    if uv:
        run([uv, "venv", "--python", python, VENV], "making .venv")
    elif missing := [name for name in ("venv", "ensurepip") if not find_spec(name)]:
        sys.exit(f"Tocsin: {python} lacks {' and '.join(missing)}; on Debian or Ubuntu: apt install python3-venv")
    else:
        run([python, "-I", "-m", "venv", VENV], "making .venv")


def install(level: str, uv: str | None) -> None:
    python = VENV / "bin" / "python"
    installer: list[str | Path] = [uv, "pip", "install", "--python", python] if uv else [python, *PIP_INSTALL]
    if not uv:
        spare_the_cache([python, "-I", "-m", "pip"], "PIP_NO_CACHE_DIR")
    lock = LOCKS[level]
    packages = len(re.findall(r"^\w.*==", lock.read_text(), re.M))
    run([*installer, "--require-hashes", "-r", lock], f"installing {lock.name}", packages)
    run([*installer, "--no-deps", "--no-build-isolation", "-e", ROOT], "installing Tocsin")


def spare_the_cache(tool: Command, setting: str) -> None:
    """Where its cache cannot be written, uv stops, and pip fails as soon as it has to build."""
    cache = subprocess.run([*tool, "cache", "dir"], capture_output=True, text=True, check=False).stdout.strip()
    try:
        Path(cache).mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        os.environ[setting] = "1"


def run(command: Command, what: str, packages: int = 0) -> None:
    """Run an installer: its chatter becomes one line of progress, its complaints are shown if it fails."""
    show = Progress(what)
    complaints, collected = [], 0
    environment = {**os.environ, "PIP_USER": "0"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True
    ) as installer:
        for line in installer.stdout or ():
            if not CHATTER.match(line):
                complaints.append(line)
            if step := STEP.match(line):
                collected += bool(step["package"])
                show(f"{step['package']} ({collected} of {packages})" if step["package"] else step["other"])
    show.end()
    if installer.returncode == 0:
        return
    said = "".join(complaints[-40:])
    sys.stderr.write(said)
    if UNREACHABLE.search(said):
        sys.exit("Tocsin: the package registry did not answer; is there a network, a proxy or a mirror to name?")
    sys.exit(f"Tocsin: {what} failed; the reason is above")


class Progress:
    """One line that changes on a terminal; a line every five seconds elsewhere."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.terminal = sys.stdout.isatty()
        self.next = time.monotonic() + 5
        if self.terminal:
            self("...")

    def __call__(self, text: str) -> None:
        line = f"  {self.what}: {text}"[: shutil.get_terminal_size().columns - 1]
        if self.terminal:
            print(f"\r\033[K{line}", end="", flush=True)
        elif time.monotonic() > self.next:
            self.next = time.monotonic() + 5
            print(line, flush=True)

    def end(self) -> None:
        if self.terminal:
            print("\r\033[K", end="", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.exit("usage: make_venv.py run|dev")
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
