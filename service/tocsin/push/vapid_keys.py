"""The keys in force: new subscriptions are made with the present one, and each is sent to with the one that it was made
with.

The present key is the file of VAPID_PRIVATE_KEY_FILE; older ones are in a folder beside it, each under its id. A
process looks again now and then, so that a rotation needs no restart.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from tocsin.domain.errors import Misconfigured
from tocsin.push.vapid import ApplicationServer

log = structlog.get_logger()

LOOK_SECONDS = 2.0


def older_folder(path: Path) -> Path:
    """`vapid-older` beside `vapid.pem`."""
    return path.with_name(f"{path.stem}-older")


class ServerKeys:
    """Raises Misconfigured, with what to do, for any of the files that cannot be used; later it keeps what it has."""

    def __init__(self, path: Path, subject: str) -> None:
        self._path = path
        self._subject = subject
        self._looked = time.monotonic()
        self._state = self._files()
        self._keys: dict[bytes, ApplicationServer] = {}
        self._told: str | None = None
        self._present = self._load()

    @classmethod
    def load_or_make(cls, path: Path, subject: str) -> "ServerKeys":
        ApplicationServer.load_or_make(path, subject)
        return cls(path, subject)

    @property
    def present(self) -> ApplicationServer:
        """The one that browsers subscribe with now."""
        self._look()
        return self._present

    def of(self, key_id: bytes) -> ApplicationServer | None:
        """The one of this id; None where it is not here."""
        self._look()
        return self._keys.get(key_id)

    @property
    def all(self) -> Mapping[bytes, ApplicationServer]:
        """By their ids, the present one first."""
        self._look()
        return self._keys

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked, state = now, self._files()
        if state == self._state:
            return
        try:
            self._present = self._load()
        except Misconfigured as error:
            if error.detail != self._told:
                log.error("VAPID keys are used as they were", error=error.detail)  # noqa: TRY400
            self._told = error.detail
        else:
            self._state, self._told = state, None

    def _load(self) -> ApplicationServer:
        present = ApplicationServer.load(self._path, self._subject)
        found = [present, *(ApplicationServer.load(path, self._subject) for path in self._older())]
        # One that is known keeps the tokens that it signed: a push service asks not to be shown new ones too often.
        self._keys = {key.key_id: self._keys.get(key.key_id, key) for key in found}
        return self._keys[present.key_id]

    def _older(self) -> list[Path]:
        return sorted(older_folder(self._path).glob("*.pem"))

    def _files(self) -> list[tuple[str, int, int]]:
        """What tells whether any of them has changed."""
        state = []
        for path in (self._path, *self._older()):
            try:
                found = path.stat()
            except OSError:
                continue
            state.append((path.name, found.st_ino, found.st_mtime_ns))
        return state
