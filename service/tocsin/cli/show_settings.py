"""`tocsin settings`."""

import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from tocsin.settings import PREFIX, TOML_FILE, Settings, load


def show_settings(console: Console) -> None:
    settings = load()
    table = Table("Setting", "Value", "From", "What it is", box=None)
    for name, field in Settings.model_fields.items():
        table.add_row(PREFIX + name.upper(), _shown(getattr(settings, name)), source(name), field.description or "")
    console.print(table)


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
        return "••••••"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    text = str(value)
    # A server's URL may hold its password.
    password = urlsplit(text).password if "://" in text else None
    return text.replace(password, "••••••") if password else text
