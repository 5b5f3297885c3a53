"""Which clients are installed, how each is started, and what to do about one that is not."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from tocsin import __version__
from tocsin.bench.plan import Client

_HERE = files("tocsin.bench")
_NODE_HOW = "npm install web-push in a folder, then --peers FOLDER (and Node.js itself: apt install nodejs npm)"
_GO_HOW = "apt install golang-go, with the Go module proxy in reach"
_GO_MODULE = "github.com/SherClockHolmes/webpush-go"
_BUILD_SECONDS = 120.0


@dataclass(frozen=True)
class Installed:
    """`command` takes the job's path as one more argument."""

    version: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """`how` is how to install it."""

    how: str


async def find(client: Client, peers: Path | None, scratch: Path) -> Installed | Missing:
    """`peers` is a folder with node_modules; Go's client is built in `scratch`."""
    if client is Client.NODE:
        return await _node(peers)
    if client is Client.GO:
        return await _go(scratch)
    # pywebpush is a dependency of Tocsin's own; the same client runs both.
    return Installed(
        f"tocsin {__version__}, pywebpush {version('pywebpush')}", [sys.executable, "-m", "tocsin.bench.client"]
    )


async def _node(peers: Path | None) -> Installed | Missing:
    node = shutil.which("node")
    if node is None:
        return Missing(_NODE_HOW)
    folders = [peers / "node_modules"] if peers else [Path("node_modules"), Path(node).parents[1] / "lib/node_modules"]
    looked_in = [str(folder.resolve()) for folder in folders]
    environment = {"NODE_PATH": os.pathsep.join([*looked_in, os.environ.get("NODE_PATH", "")])}
    code, said = await _ask(
        [node, "-p", "require('web-push/package.json').version + ' ' + process.version"], environment
    )
    if code:
        return Missing(_NODE_HOW)
    package, own = said.split()
    return Installed(f"web-push {package}, node {own}", [node, str(_HERE / "node_web_push.js")], environment)


async def _go(scratch: Path) -> Installed | Missing:
    go = shutil.which("go")
    if go is None:
        return Missing(_GO_HOW)
    source = scratch / "webpush_go"
    source.mkdir()
    for name in ("main.go", "go.mod"):
        (source / name).write_bytes((_HERE / "webpush_go" / name).read_bytes())
    binary = source / "webpush_go"
    # Not `-C`, which Debian 12's Go (1.19) does not know.
    code, said = await _ask([go, "build", "-mod=mod", "-o", str(binary), "."], {}, source)
    if code:
        return Missing(f"{_GO_HOW}; go build said: {said.strip().splitlines()[-1] if said.strip() else 'nothing'}")
    _, listed = await _ask([go, "version", "-m", str(binary)], {})
    module = next((line.split() for line in listed.splitlines() if _GO_MODULE in line), ["", "", "?"])
    own = listed.partition(": ")[2].split()[0]
    return Installed(f"webpush-go {module[2]}, {own}", [str(binary)])


async def _ask(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> tuple[int, str]:
    """Exit code, and output, or what was said of the failure."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,  # node warns there of much that is no failure
    )
    try:
        async with asyncio.timeout(_BUILD_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        return 1, f"no end after {_BUILD_SECONDS:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, (errors if process.returncode else output).decode(errors="replace")
