"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage. No traceback reaches a user."""

import asyncio
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tocsin import __version__
from tocsin.cli import signals
from tocsin.cli.groups import Groups
from tocsin.domain.errors import Invalid, TocsinError
from tocsin.settings import PREFIX

app = typer.Typer(
    cls=Groups,
    help="Breaking-news alerts for newsrooms, over Web Push.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tocsin {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def every_command(
    data_dir: Annotated[Path | None, typer.Option(help="Instead of TOCSIN_DATA_DIR.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    if data_dir is not None:
        os.environ[f"{PREFIX}DATA_DIR"] = str(data_dir)


# The commands import what they need when they run: a worker has no use for the API, nor `topics list` for either.


@app.command()
def up(
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes of each worker that sends.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Instead of 8080.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
) -> None:
    """Everything on one machine, until Ctrl-C."""
    from tocsin.cli.up import up as run  # noqa: PLC0415

    signals.run(run(workers, port, data_dir, Console()))


@app.command()
def demo(
    browsers: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many simulated browsers.")] = 10_000,
    once: Annotated[bool, typer.Option("--once", help="End when the alert is out.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Instead of 8080.")] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A site whose pages may subscribe; may be given several times.")
    ] = None,
) -> None:
    """Everything, with simulated push services and browsers, and one alert sent.

    No setting counts here, neither of the environment nor of tocsin.toml.
    """
    from tocsin.cli.demo import demo as run  # noqa: PLC0415

    if not signals.run(run(browsers, once, port, allow_origin or (), Console())):
        raise typer.Exit(1)


@app.command()
def api() -> None:
    """The HTTP API and the pages alone."""
    from tocsin.cli.serving import serve_api  # noqa: PLC0415

    serve_api()


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help="Some of priority, standard and maintenance, comma-separated.")],
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="Instead of TOCSIN_WORKER_PROCESSES.")] = None,
) -> None:
    """A Celery worker alone."""
    from tocsin.cli.serving import serve_worker  # noqa: PLC0415

    serve_worker(queues, processes)


@app.command()
def beat() -> None:
    """Celery's beat alone: it calls the reconciler."""
    from tocsin.cli.serving import serve_beat  # noqa: PLC0415

    serve_beat()


@app.command()
def simulator(
    folder: Annotated[Path, typer.Option(help="Where its certificates are kept.")] = Path("data/simulator"),
    control_port: Annotated[int, typer.Option(help="0 for any.")] = 0,
    autopush_port: Annotated[int, typer.Option(help="For Firefox; 0 for any.")] = 0,
    ready_file: Annotated[Path | None, typer.Option(help="Written when it listens.")] = None,
) -> None:
    """Local push services that behave as the real ones do."""
    from tocsin.cli.simulator import simulate  # noqa: PLC0415

    signals.run(simulate(folder, control_port, autopush_port, ready_file, Console()))


@app.command()
def bench(
    peers: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="A folder with node_modules, for node's web-push.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go as JSON.")] = None,
    plots: Annotated[Path | None, typer.Option(help="A folder for two plots (SVG).")] = None,
    messages: Annotated[
        int, typer.Option(min=200, max=1_000_000, help="Scales the run: at 10,000 a sender has about 2 s.")
    ] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Every sender once in each; medians are shown.")] = 3,
    in_flight: Annotated[int, typer.Option(min=1, max=1_000, help="Requests under way at a time.")] = 100,
    in_flight_many: Annotated[int, typer.Option(min=1, max=1_000, help="The same for the rows with `many`.")] = 1_000,
    delay: Annotated[int, typer.Option(min=0, max=1_000, help="Milliseconds that the delayed sink waits.")] = 30,
) -> None:
    """Messages a second to a local sink, beside the other senders that are installed."""
    from tocsin.bench.measure import Wish  # noqa: PLC0415
    from tocsin.cli.bench import bench as run  # noqa: PLC0415

    wish = Wish(messages, rounds, in_flight, in_flight_many, delay, peers)
    if not signals.run(run(wish, json_file, plots, Console())):
        raise typer.Exit(1)


@app.command()
def settings() -> None:
    """The settings in force and where each comes from."""
    from tocsin.cli.show_settings import show_settings  # noqa: PLC0415

    show_settings(Console())


@app.command()
def migrate(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Brings the store of an older version to the form of this one; `up` does it by itself."""
    from tocsin.cli.migrate import migrate as run  # noqa: PLC0415

    asyncio.run(run(as_json))


@app.command()
def doctor() -> None:
    """Looks for what is wrong, and says what to do."""
    from tocsin.cli.doctor import doctor as run  # noqa: PLC0415

    if not asyncio.run(run(Console())):
        raise typer.Exit(1)


def main() -> None:
    try:
        app()
    except Invalid as error:
        _complain(error.detail, 2)
    except TocsinError as error:
        _complain(error.detail, 1)
    except (signals.AskedToEnd, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 (the last door before a user)
        if f"{PREFIX}DEBUG" in os.environ:
            traceback.print_exc()
        _complain(f"{type(error).__name__}: {error} (TOCSIN_DEBUG=1 shows where)", 1)


def _complain(text: str, code: int) -> None:
    print(f"tocsin: {text}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
