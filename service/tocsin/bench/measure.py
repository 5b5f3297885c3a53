"""The rounds: every leg once in each, one after another, so that whatever slows the machine slows all alike."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pydantic import ValidationError

from tocsin.bench import job as jobs
from tocsin.bench.job import Job, Result
from tocsin.bench.peers import Installed, Missing, find
from tocsin.bench.plan import LEGS, PYWEBPUSH, Client, Leg
from tocsin.bench.processes import Cpus, busy_seconds, cpu_seconds, pinned, stop
from tocsin.bench.sink import Sink, SinkKind, installed_sink, open_sink
from tocsin.domain.errors import TocsinError
from tocsin.domain.subscriptions import encode_base64url
from tocsin.simulator.authority import Authority

_WARM_UP = 400
# pywebpush keeps nothing warm, and sends 200 a second.
_WARM_UPS = {PYWEBPUSH: 20}
_LEG_SECONDS = 120.0


@dataclass(frozen=True)
class Wish:
    """What the command was asked for."""

    messages: int
    rounds: int
    in_flight: int
    in_flight_many: int
    delay_ms: int
    peers: Path | None


@dataclass(frozen=True)
class Sample:
    """One leg in one round. `client` and `sink` are the seconds of CPU time that they had in the timed part, `others`
    what anyone else had on the client's CPU; None where the system does not tell."""

    result: Result
    client: float | None
    sink: float | None
    others: float | None
    sink_name: str


@dataclass(frozen=True)
class Measured:
    """`samples` by leg in the order of the rounds; a leg is in `missing` (how to install it) or `failed` (why) else."""

    samples: dict[str, list[Sample]]
    missing: dict[str, str]
    failed: dict[str, str]
    versions: dict[str, str]


class LegFailed(TocsinError):
    """A client that did not get all its messages accepted."""


async def measure(wish: Wish, folder: Path, cpus: Cpus, tell: Callable[[str], None]) -> Measured:
    """`folder` is scratch; `tell(leg)` is called before each leg."""
    clients = {client: await find(client, wish.peers, folder) for client in Client}
    measured = Measured({}, {}, {}, {})
    legs = []
    for leg in LEGS:
        found = clients[leg.client]
        if isinstance(found, Missing):
            measured.missing[leg.name] = found.how
        else:
            measured.versions[leg.name] = found.version
            legs.append((leg, found))
    async with AsyncExitStack() as open_sinks:
        bench = await _Bench.open(wish, folder, cpus, open_sinks)
        for number in range(wish.rounds):
            # Each round begins elsewhere, so that no leg always has the same one before it.
            turn = number % len(legs)
            for leg, client in [*legs[turn:], *legs[:turn]]:
                if leg.name in measured.failed:
                    continue
                tell(leg.name)
                try:
                    measured.samples.setdefault(leg.name, []).append(await bench.run(leg, client))
                except LegFailed as error:
                    measured.failed[leg.name] = error.detail
    return measured


class _Bench:
    """The sinks and the files that all clients share."""

    def __init__(
        self, wish: Wish, folder: Path, cpus: Cpus, sinks: dict[bool | None, Sink], authority: Authority
    ) -> None:
        self._wish = wish
        self._folder = folder
        self._cpus = cpus
        self._sinks = sinks
        self._ca_file = authority.ca_file
        self._vapid_file = folder / "vapid.pem"
        vapid = Vapid02()
        vapid.generate_keys()
        vapid.save_key(str(self._vapid_file))
        self._public_key = encode_base64url(
            vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )
        self._private_key = encode_base64url(vapid.private_key.private_numbers().private_value.to_bytes(32, "big"))

    @classmethod
    async def open(cls, wish: Wish, folder: Path, cpus: Cpus, stack: AsyncExitStack) -> "_Bench":
        authority = Authority(folder / "authority")
        certificate, key = authority.issue("localhost")
        sinks: dict[bool | None, Sink] = {}
        kinds = ((None, installed_sink(), 0), (False, SinkKind.OWN, 0), (True, SinkKind.OWN, wish.delay_ms))
        for which, kind, delay_ms in kinds:
            room = folder / f"sink-{len(sinks)}"
            opening = open_sink(room, certificate, key, cpus.sink, kind, delay_ms)
            sinks[which] = await stack.enter_async_context(opening)
        bench = cls(wish, folder, cpus, sinks, authority)
        for sink in sinks.values():
            jobs.write_recipients(bench._recipients(sink), sink.port, max(map(bench._total, LEGS)))
        return bench

    def _total(self, leg: Leg) -> int:
        return self._messages(leg) + _WARM_UPS.get(leg.name, _WARM_UP)

    def _messages(self, leg: Leg) -> int:
        return max(100, round(self._wish.messages * leg.share))

    def _recipients(self, sink: Sink) -> Path:
        return self._folder / f"recipients-{sink.port}.json"

    async def run(self, leg: Leg, client: Installed) -> Sample:
        sink = self._sinks[leg.delayed if leg.many else None]
        job = Job(
            leg=leg.name,
            messages=self._messages(leg),
            warm_up=_WARM_UPS.get(leg.name, _WARM_UP),
            in_flight=self._wish.in_flight_many if leg.many else self._wish.in_flight,
            payload=jobs.payload(),
            subject=jobs.SUBJECT,
            ca_file=self._ca_file,
            connect_to=sink.connect_to,
            recipients_file=self._recipients(sink),
            vapid_file=self._vapid_file,
            vapid_public_key=self._public_key,
            vapid_private_key=self._private_key,
        )
        path = self._folder / "job.json"
        path.write_text(job.model_dump_json())
        return await _run(
            [*client.command, str(path)], {**os.environ, **client.environment, **self._trust()}, sink, self._cpus
        )

    def _trust(self) -> dict[str, str]:
        """The sink's authority, in the words of each client's language."""
        names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        return dict.fromkeys(names, str(self._ca_file))


async def _run(command: Sequence[str], environment: dict[str, str], sink: Sink, cpus: Cpus) -> Sample:
    process = await asyncio.create_subprocess_exec(
        *pinned(cpus.client, command),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None  # noqa: S101 (all three were asked for)
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    errors = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(_LEG_SECONDS):
            ready = await process.stdout.readline()
            before = _spent(process.pid, sink.pid, cpus)
            if ready.strip().decode() == jobs.READY:
                process.stdin.write(b"go\n")
            line = await process.stdout.readline()
            after = _spent(process.pid, sink.pid, cpus)
        result = Result.model_validate_json(line)
    except TimeoutError:
        raise LegFailed(f"no result after {_LEG_SECONDS:.0f} s") from None
    except ValidationError:
        await stop(process)
        said = (await errors).decode(errors="replace").strip().splitlines()
        raise LegFailed(said[-1] if said else "the client ended without a result") from None
    finally:
        await stop(process)
        await errors
    client, sunk, whole = [None if a is None or b is None else a - b for a, b in zip(after, before, strict=True)]
    others = None if whole is None or client is None else max(0.0, whole - client - (0 if cpus.apart else sunk or 0))
    return Sample(result, client, sunk, others, sink.kind)


def _spent(client: int, sink: int, cpus: Cpus) -> tuple[float | None, float | None, float | None]:
    """CPU time so far of the client, of the sink, and of everything on the client's CPU."""
    return cpu_seconds(client), cpu_seconds(sink), busy_seconds(cpus.client)
