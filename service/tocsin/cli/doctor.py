"""`tocsin doctor`: what is wrong, and what to do about it."""

import difflib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tocsin.api.auth import is_trusted
from tocsin.cli.reach import ADVICE, ask
from tocsin.domain.deliveries import Answer
from tocsin.domain.errors import Misconfigured, Unavailable
from tocsin.push.guard import is_public
from tocsin.push.native import NATIVE
from tocsin.push.trust import ca_bundle, system_roots
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import PREFIX, Settings, load
from tocsin.store.census import by_key
from tocsin.store.client import Server
from tocsin.store.health import clock_skew, durability_fault, keeping_fault
from tocsin.store.proxies import Proxies
from tocsin.store.store import Store

# VAPID tokens and leases bear no more than this; a push service refuses a token from the future.
MOST_SKEW = 5.0


@dataclass(frozen=True)
class Finding:
    """`good` is None where something is worth knowing and not wrong."""

    what: str
    good: bool | None
    detail: str


async def doctor(console: Console) -> bool:
    """False when anything is wrong."""
    try:
        settings = load()
    except Misconfigured as error:
        _tell(console, Finding("settings", False, error.detail))
        return False
    with TemporaryDirectory() as folder:
        # The certificates to trust are joined into a file there: a look leaves nothing behind.
        findings = await _findings(settings, settings.model_copy(update={"data_dir": Path(folder)}))
    for finding in findings:
        _tell(console, finding)
    return all(finding.good is not False for finding in findings)


async def _findings(settings: Settings, sending: Settings) -> list[Finding]:
    """`sending` is for what asks the push services."""
    findings = [
        _settings(settings),
        *_unknown(),
        _key(settings),
        *await _agreement(settings),
        _roots(sending),
        _message_keys(),
        *_links(settings),
    ]
    for name, url in (("store", settings.store), ("broker", settings.broker), ("prekeys", settings.prekey_server)):
        findings.append(await _server(name, url))
    return [*findings, *await _proxy(settings), *await _push_services(sending)]


def _settings(settings: Settings) -> Finding:
    return Finding("settings", True, f"readers reach us at {settings.url}/")


def _unknown() -> list[Finding]:
    """Variables that look like ours and are not: most often a name written wrongly."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {f"{PREFIX}DEBUG"}
    found = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1)
            advice = f"; did you mean {near[0]}?" if near else ""
            found.append(Finding("settings", False, f"{name} is no setting{advice}"))
    return found


def _key(settings: Settings) -> Finding:
    if not settings.vapid_file.exists():
        return Finding("VAPID key", None, f"{settings.vapid_file} will be made at the first start")
    try:
        ServerKeys(settings.vapid_file, settings.vapid_subject)
    except Misconfigured as error:
        return Finding("VAPID key", False, error.detail)
    mode = stat.S_IMODE(settings.vapid_file.stat().st_mode)
    if settings.vapid_subject == Settings.model_fields["vapid_subject"].default:
        detail = "TOCSIN_VAPID_SUBJECT is the example's: set your own address, so that push services can write to you"
        return Finding("VAPID key", None, detail)
    return Finding("VAPID key", True, f"{settings.vapid_file}, mode {mode:o}")


def _roots(settings: Settings) -> Finding:
    try:
        ca_bundle(settings.push_ca_file, settings.data_dir)
    except Misconfigured as error:
        return Finding("certificates", False, error.detail)
    beside = f" and {settings.push_ca_file}" if settings.push_ca_file else ""
    return Finding("certificates", True, f"push services are trusted by {system_roots()}{beside}")


def _links(settings: Settings) -> list[Finding]:
    if settings.allowed_link_hosts:
        return [Finding("links", True, f"alerts may link to {', '.join(settings.allowed_link_hosts)}")]
    detail = "alerts may link to any https host: set TOCSIN_ALLOWED_LINK_HOSTS to your own"
    return [Finding("links", None, detail)]


async def _agreement(settings: Settings) -> list[Finding]:
    """Whether the key is the one that the store's readers subscribed with; nothing where either is not there yet."""
    if not settings.vapid_file.exists():
        return []
    try:
        keys = ServerKeys(settings.vapid_file, settings.vapid_subject)
        async with Store(settings) as store:
            agrees = await store.identity.agrees(*keys.all)
            used = await by_key(store)
    except (Misconfigured, Unavailable, ValueError):
        return []  # told by the findings on key and store
    advice = "readers subscribed with another key: restore it, or begin anew by `tocsin keys vapid adopt`"
    return [*([] if agrees else [Finding("VAPID key", False, advice)]), *_older_keys(keys, used)]


def _older_keys(keys: ServerKeys, used: Mapping[bytes, int]) -> list[Finding]:
    """What is left of a rotation, and whom nothing can be sent to."""
    findings = []
    for key_id in keys.all:
        if key_id != keys.present.key_id:
            left = used.get(key_id, 0)
            retire = f": `tocsin keys vapid retire {key_id.hex()}`" if not left else ""
            detail = f"the older {key_id.hex()} is in force for {left:,} browsers{retire}"
            findings.append(Finding("VAPID key", None, detail))
    missing = {key_id: count for key_id, count in used.items() if key_id not in keys.all}
    if missing:
        ids = ", ".join(sorted(key_id.hex() for key_id in missing))
        detail = f"{sum(missing.values()):,} browsers subscribed with keys that are not here ({ids}): restore them "
        detail += "(`tocsin keys vapid import --older`), or they get nothing until they come back to the page"
        findings.append(Finding("VAPID key", False, detail))
    return findings


def _message_keys() -> Finding:
    if NATIVE:
        return Finding("message keys", True, f"made by {NATIVE.version}")
    detail = (
        "made by Python's cryptography, which takes half as long again: for a large audience install a C compiler and "
        "OpenSSL's headers (Debian: gcc libc6-dev libssl-dev), then Tocsin once more"
    )
    return Finding("message keys", None, detail)


async def _server(name: str, url: str) -> Finding:
    try:
        server = Server(url)
    except ValueError as error:
        return Finding(name, False, f"{_variable(name)} is no address of a server: {error}")
    try:
        skew = await clock_skew(server)
        fault = await _FAULTS[name](server) if name in _FAULTS else None
    except Unavailable:
        return Finding(name, False, f"does not answer: start it, or `tocsin up`, or set {_variable(name)}")
    finally:
        await server.close()
    if fault:
        # Without prekeys alerts only take longer.
        return Finding(name, None if name == "prekeys" else False, fault)
    if skew > MOST_SKEW:
        return Finding(name, False, f"its clock is {skew:.0f} s off this machine's: run a time service on both")
    return Finding(name, True, "answers" + (", and keeps what it is told" if name == "store" else ""))


_FAULTS = {"store": durability_fault, "prekeys": keeping_fault}


def _variable(name: str) -> str:
    return f"{PREFIX}{name.removesuffix('s').upper()}_URL"


async def _proxy(settings: Settings) -> list[Finding]:
    """Readers behind a proxy that is not trusted are one address to us, with one rate for all of them."""
    try:
        server = Server(settings.store)
    except ValueError:
        return []  # told already
    try:
        address = await Proxies(server).noted()
    except Unavailable:
        return []
    finally:
        await server.close()
    if address is None or is_trusted(address, settings.trusted_proxies):
        return [Finding("proxy", True, "none that is not trusted was seen in a day")]
    detail = (
        f"{address} sends X-Forwarded-For and is not trusted, so all readers behind it count as one address: "
        f"name it in {PREFIX}TRUSTED_PROXIES if it is your proxy"
    )
    return [Finding("proxy", None if is_public(address.partition("/")[0]) else False, detail)]


async def _push_services(settings: Settings) -> list[Finding]:
    try:
        found = await ask(settings)
    except Misconfigured as error:
        return [Finding("push services", False, error.detail)]
    return [finding for name, answers in found.items() for finding in _reached(name, answers)]


def _reached(name: str, answers: Mapping[str, Answer]) -> list[Finding]:
    """One host of a push service is enough for it; another that is silent is worth knowing."""
    silent = {host: answer.failure for host, answer in answers.items() if answer.failure}
    good = [host for host in answers if host not in silent]
    findings = [Finding(name, True, f"{', '.join(good)} answers")] if good else []
    return findings + [
        Finding(name, None if good else False, f"{host}: {ADVICE[failure]}") for host, failure in silent.items()
    ]


def _tell(console: Console, finding: Finding) -> None:
    sign = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]•[/]"}[finding.good]
    console.print(f"{sign} {finding.what}: ", end="")
    console.print(finding.detail, markup=False, highlight=False, soft_wrap=True)
