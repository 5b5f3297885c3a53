"""`tocsin up`: everything on one machine."""

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from rich.console import Console

from tocsin import clock
from tocsin.cli.embedded import embedded_parts, private_folder
from tocsin.cli.parts import tocsin_part
from tocsin.cli.signals import told_to_end
from tocsin.cli.supervisor import Supervisor, Told, supervised
from tocsin.domain.errors import Misconfigured, Unavailable
from tocsin.domain.queues import MAINTENANCE, QUEUES
from tocsin.domain.roles import Role
from tocsin.locks import try_lock
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import PREFIX, Settings, load
from tocsin.store.store import Store

# The store of an `up` that was killed ends within this.
LOCK_SECONDS = 3.0


@asynccontextmanager
async def running(
    settings: Settings,
    told: Told,
    environment: Mapping[str, str],
    log_dir: Path | None = None,
    before_api: Callable[[Supervisor], Awaitable[None]] | None = None,
) -> AsyncIterator[Supervisor]:
    """All parts at work until the block ends; `before_api` may start others first.

    Raises Misconfigured when the port or the folder is in use.
    """
    with _only_one(settings.data_dir) as lock:
        _check_port(settings)
        async with supervised(environment, told, log_dir) as supervisor:
            # Before the workers start: they use the key, and make none.
            keys = ServerKeys.load_or_make(settings.vapid_file, settings.vapid_subject)
            await supervisor.start(embedded_parts(settings, lock))
            await _check_store(settings, keys, told)
            if before_api is not None:
                await before_api(supervisor)
            api = tocsin_part("api", "api", ready_url=f"http://{_reachable(settings)}{settings.base_path}/readyz")
            workers = [tocsin_part(f"worker-{queue}", *_worker_words(settings, queue)) for queue in QUEUES]
            await supervisor.start([api, *workers, tocsin_part("beat", "beat")])
            yield supervisor


async def _check_store(settings: Settings, keys: ServerKeys, told: Told) -> None:
    """Raises Misconfigured where no alert could be sent, which is better known now than then. A store of an older form
    is brought to ours: nobody is at work on it yet."""
    try:
        async with Store(settings) as store:
            migrated = await store.schema.migrate(told)
            if migrated.before != migrated.after:
                told(f"the store was of schema {migrated.before}; it is of {migrated.after} now")
            if not await store.identity.claim(*keys.all):
                raise Misconfigured(
                    f"{settings.vapid_file} is not the key that readers subscribed with, so every push would be "
                    "refused: restore that key, or begin anew with this one by `tocsin keys vapid adopt`"
                )
    except Unavailable:
        raise Misconfigured("TOCSIN_STORE_URL: the store does not answer") from None


async def first_key(settings: Settings) -> str | None:
    """An admin's key, made the first time; None when there is one already, or ADMIN_KEY is set."""
    if settings.admin_key is not None:
        return None
    async with Store(settings) as store:
        if await store.api_keys.all():
            return None
        _, text = await store.api_keys.make("first admin", frozenset({Role.ADMIN}), clock.now())
        return text


def settings_for_parts(**given: str | int | Path | None) -> tuple[Settings, dict[str, str]]:
    """The settings with what a command's options say, and the environment that tells the parts the same."""
    overrides = {name: str(value) for name, value in given.items() if value is not None}
    settings = load(**overrides)
    # Parts may start in another folder.
    overrides["data_dir"] = str(settings.data_dir.resolve())
    return settings, {PREFIX + name.upper(): value for name, value in overrides.items()}


def _worker_words(settings: Settings, queue: str) -> list[str]:
    processes = 1 if queue == MAINTENANCE else settings.worker_processes
    return ["worker", "--queues", queue, "--processes", str(processes)]


def _reachable(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 (only compared)
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Misconfigured(
                f"port {settings.port} on {settings.host}: {error.strerror}; "
                "end what uses it, or choose another with --port (for make: ARGS='--port 8090')"
            ) from None


@contextmanager
def _only_one(data_dir: Path) -> Iterator[int]:
    """Two on one folder would write over each other's store. Gives the lock, which the store's process holds too: it
    may outlive us for a moment when we are killed."""
    private_folder(data_dir.resolve())
    with (data_dir / "lock").open("w") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise Misconfigured(f"another `tocsin up` is at work on {data_dir.resolve()}")
            time.sleep(0.05)  # nothing is running yet that could wait for us
        yield file.fileno()


async def up(workers: int | None, port: int | None, data_dir: Path | None, console: Console) -> None:
    """`tocsin up`, until it is asked to stop."""
    settings, environment = settings_for_parts(worker_processes=workers, port=port, data_dir=data_dir)

    events = Console(stderr=True)

    def told(line: str) -> None:
        events.print(f"[yellow]{line}[/]", highlight=False)

    async with running(settings, told, environment):
        key = await first_key(settings)
        console.print(f"  Listening on {settings.host}:{settings.port}\n", highlight=False)
        console.print(f"  Readers   {settings.url}/", highlight=False)
        console.print(f"  Console   {settings.url}/console", highlight=False)
        console.print(f"  Ops       {settings.url}/ops", highlight=False)
        console.print(f"  API       {settings.url}/docs", highlight=False)
        if key:
            console.print(f"\n  Admin's key, shown this once: {key}", highlight=False, soft_wrap=True)
        await told_to_end(console)
