"""`tocsin settings`."""

import json
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr
from rich.console import Console

from tocsin.settings import PREFIX, Settings, load, source

MASK = "••••••"


def show_settings(console: Console) -> None:
    """A line for each, whole however long it is, and what it is below."""
    settings = load()
    for name, field in Settings.model_fields.items():
        line = f"{PREFIX}{name.upper()} = {_shown(getattr(settings, name))}  ({source(name)})"
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
        console.print(f"    {field.description}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _shown(value: object) -> str:
    if value in (None, "", (), {}):
        return "–"
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return _masked(str(value))


def _masked(text: str) -> str:
    """A server's URL may hold its password, before the host or as a parameter."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    secrets = [parts.password, *(value for name, value in parse_qsl(parts.query) if name == "password")]
    if any(secrets):
        host = parts.netloc.rpartition("@")[2]
        netloc = f"{parts.username or ''}:{MASK}@{host}" if parts.password else parts.netloc
        query = "&".join(f"password={MASK}" if one.startswith("password=") else one for one in parts.query.split("&"))
        text = parts._replace(netloc=netloc, query=query).geturl()
    return text
