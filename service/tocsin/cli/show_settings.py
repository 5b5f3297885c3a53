"""`tocsin settings`."""

import os
import tomllib
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr
from rich.console import Console

from tocsin.settings import PREFIX, TOML_FILE, Settings, load

MASK = "••••••"


def show_settings(console: Console) -> None:
    """A line for each, whole however long it is, and what it is below."""
    settings = load()
    for name, field in Settings.model_fields.items():
        line = f"{PREFIX}{name.upper()} = {_shown(getattr(settings, name))}  ({source(name)})"
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
        console.print(f"    {field.description}", style="dim", markup=False, highlight=False, soft_wrap=True)


def source(name: str) -> str:
    """Where the value in force comes from; the environment goes before the file."""
    if any(key.upper() == PREFIX + name.upper() for key in os.environ):
        return "environment"
    if Path(TOML_FILE).exists() and name in tomllib.loads(Path(TOML_FILE).read_text("utf-8")):
        return TOML_FILE
    return "default"


def _shown(value: object) -> str:
    if value in (None, "", ()):
        return "–"
    if isinstance(value, SecretStr):
        return MASK
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
