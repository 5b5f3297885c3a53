"""On what it was measured: a rate without its machine says nothing."""

import os
import platform
import ssl
from pathlib import Path

import pycurl
from cryptography.hazmat.backends.openssl import backend
from pydantic import BaseModel

from tocsin.bench.processes import Cpus
from tocsin.push.native import NATIVE


class Machine(BaseModel):
    cpu: str
    cpus: int
    client_cpu: int
    sink_cpu: int
    pinned: bool
    kernel: str
    python: str
    openssl: str
    cryptography_openssl: str
    message_keys: str
    libcurl: str
    peers: dict[str, str]

    @property
    def lines(self) -> list[str]:
        where = (
            f"client on CPU {self.client_cpu}, sink on CPU {self.sink_cpu}" if self.pinned else "nothing is pinned here"
        )
        return [
            f"{self.cpu}, {self.cpus} CPUs ({where}), {self.kernel}",
            f"Python {self.python}, {self.openssl} (cryptography: {self.cryptography_openssl}), {self.libcurl}",
            f"Tocsin's message keys by {self.message_keys}",
            "; ".join(sorted(set(self.peers.values()))),
        ]


def describe(cpus: Cpus, peers: dict[str, str]) -> Machine:
    return Machine(
        cpu=_cpu(),
        cpus=os.cpu_count() or 1,
        client_cpu=cpus.client,
        sink_cpu=cpus.sink,
        pinned=hasattr(os, "sched_setaffinity"),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        openssl=ssl.OPENSSL_VERSION,
        cryptography_openssl=backend.openssl_version_text(),
        message_keys=f"derive.c with {NATIVE.version}" if NATIVE else "cryptography",
        libcurl=" ".join(pycurl.version.split()[1:3]),
        peers=peers,
    )


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
