"""What everything is sent to: one process that reads whole requests over TLS 1.3 and answers 201."""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from tocsin.bench.processes import pinned, stop
from tocsin.domain.errors import Misconfigured

_START_SECONDS = 10.0
# nginx answers before it has the body unless something asks for the body: `mirror` does, before `empty_gif` refuses
# the method, which becomes the 201.
_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log error; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; types {{}} default_type text/plain; keepalive_requests 1000000000; client_body_buffer_size 16k;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port} ssl http2 backlog=4096;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
    location / {{ mirror /read; mirror_request_body on; error_page 405 =201 /accepted; empty_gif; }}
    location = /read {{ internal; return 204; }}
    location = /accepted {{ internal; return 201; }}
  }}
}}
"""


class SinkKind(StrEnum):
    NGINX = "nginx"
    GRANIAN = "granian"
    OWN = "own"  # for HTTP/2 only, and the only one that can wait


@dataclass(frozen=True)
class Sink:
    kind: SinkKind
    port: int
    pid: int

    @property
    def connect_to(self) -> str:
        return f"localhost:{self.port}:127.0.0.1:{self.port}"


@asynccontextmanager
async def open_sink(
    folder: Path, certificate: Path, key: Path, cpu: int | None, kind: SinkKind, delay_ms: int = 0
) -> AsyncIterator[Sink]:
    """Listens when it is given; `folder` is made, `cpu` is None for any, `delay_ms` is for our own. Raises
    Misconfigured where it does not start."""
    port = _free_port()
    folder.mkdir(mode=0o700)
    command = _command(kind, folder, port, certificate, key, delay_ms)
    if cpu is not None:
        command = pinned(cpu, command)
    log = folder / "sink.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        await _listening(process, port, kind, log)
        yield Sink(kind, port, process.pid)
    finally:
        await stop(process)


def installed_sink() -> SinkKind:
    """nginx where it is installed, else granian. Raises Misconfigured where neither is."""
    if _nginx():
        return SinkKind.NGINX
    if find_spec("granian"):
        return SinkKind.GRANIAN
    raise Misconfigured("the sink needs nginx (apt install nginx-light) or granian (pip install 'tocsin[bench]')")


def _nginx() -> str | None:
    # Debian keeps it where only root's PATH looks.
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


def _command(kind: SinkKind, folder: Path, port: int, certificate: Path, key: Path, delay_ms: int) -> Sequence[str]:
    if kind is SinkKind.OWN:
        return [sys.executable, "-m", "tocsin.bench.sink_http2", str(port), str(certificate), str(key), str(delay_ms)]
    if kind is SinkKind.GRANIAN:
        return _granian(port, certificate, key)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, certificate=certificate, key=key))
    return [_nginx() or "nginx", "-e", str(folder / "nginx.log"), "-c", str(config)]


def _granian(port: int, certificate: Path, key: Path) -> Sequence[str]:
    options = {
        "interface": "rsgi",
        "host": "127.0.0.1",
        "port": port,
        "workers": 1,
        "runtime-threads": 1,
        "backlog": 4096,
        "ssl-certificate": certificate,
        "ssl-keyfile": key,
        "log-level": "warning",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    return [sys.executable, "-m", "granian", *arguments, "tocsin.bench.sink_app:app"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def _listening(process: asyncio.subprocess.Process, port: int, kind: SinkKind, log: Path) -> None:
    """Returns as soon as a connection is taken."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    said = log.read_text(errors="replace").strip().splitlines()
    raise Misconfigured(f"the sink ({kind}) does not start: {said[-1] if said else 'it says nothing'}")
