"""VAPID (RFC 8292): the application server's key pair, and the header that proves to a push service who sends."""

import contextlib
import hashlib
import os
import secrets
import stat
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from tocsin.domain.errors import Misconfigured
from tocsin.domain.subscriptions import encode_base64url

SETTING = "TOCSIN_VAPID_PRIVATE_KEY_FILE"
LIFETIME = timedelta(hours=12)
# Renewed with half of its life left: a message that waits at a push service, or a clock that is hours off, still
# shows a valid token; and each process signs four times a day for an origin, where Apple asks for at most 24.
LEAST_LEFT = timedelta(hours=6)
# More than this ahead means that our clock was set back; beyond 24 hours a push service refuses (RFC 8292 §2).
MOST_LEFT = LIFETIME + timedelta(hours=1)
# `.notify.windows.com` and an operator's own entries stand for any number of origins; a token each is 600 bytes.
MAX_ORIGINS = 1_024


class ApplicationServer:
    """Who we are to the push services. `signatures` counts the tokens signed so far."""

    def __init__(self, vapid: Vapid02, subject: str) -> None:
        # py_vapid takes no https: subject with a path; the settings have checked it by what push services take.
        vapid.conf = {"no-strict": True}
        self._vapid = vapid
        self._subject = subject
        self._headers: dict[str, tuple[datetime, str]] = {}
        self.signatures = 0
        raw = vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = encode_base64url(raw)
        """What browsers call `applicationServerKey`: base64url of the 65 bytes of the point."""
        self.key_id = hashlib.sha256(raw).digest()[:4]
        """Stands for the key in a subscription's record."""

    @classmethod
    def load_or_make(cls, path: Path, subject: str) -> "ApplicationServer":
        """The key in `path` (PEM); made there if there is none. Processes that start at once agree on one key.

        Raises Misconfigured, with what to do, for a file that is no P-256 key, or is another's to read.
        """
        if not path.exists():
            try:
                _make(path)
            except OSError as error:
                raise Misconfigured(f"{SETTING}: {path}: {error.strerror}; the service must own and read it") from None
        return cls.load(path, subject)

    @classmethod
    def load(cls, path: Path, subject: str) -> "ApplicationServer":
        """The key that is there, for a worker: one of its own would be refused by every reader's push service.

        Raises Misconfigured as `load_or_make` does, and for a file that is missing.
        """
        try:
            pem = read_private(path)
        except FileNotFoundError:
            raise Misconfigured(f"{SETTING}: {path} is missing; copy it from the machine of the API") from None
        except OSError as error:
            raise Misconfigured(f"{SETTING}: {path}: {error.strerror}; the service must own and read it") from None
        return cls(_parse(pem, path), subject)

    def of(self, key_id: bytes) -> "ApplicationServer | None":
        """Itself, where this is its id: one key alone is a set of keys, too (see `vapid_keys`)."""
        return self if key_id == self.key_id else None

    def authorization(self, origin: str, now: datetime) -> str:
        """The header `Authorization` for a push service's origin; `now` is aware. Signed once in six hours."""
        expires, header = self._headers.get(origin, (now, ""))
        if LEAST_LEFT < expires - now <= MOST_LEFT:
            return header
        return self._sign(origin, now)

    def _sign(self, origin: str, now: datetime) -> str:
        expires = now + LIFETIME
        # A fresh dict each time: libraries write `aud` and `exp` into the one they are given, and a shared one
        # would send one push service's audience to another.
        claims = {"aud": origin, "exp": int(expires.timestamp()), "sub": self._subject}
        # py_vapid joins the parameters by a bare comma; RFC 8292 §3 shows a space after it.
        header = str(self._vapid.sign(claims)["Authorization"]).replace(",k=", ", k=")
        self.signatures += 1
        if len(self._headers) >= MAX_ORIGINS:
            self._headers.pop(next(iter(self._headers)))
        self._headers.pop(origin, None)
        self._headers[origin] = (expires, header)
        return header


def _make(path: Path) -> None:
    """A new key at `path`, whole or not at all, unless another process was first."""
    make_folders(path.parent)
    vapid = Vapid02()
    vapid.generate_keys()
    draft = _draft(path, vapid.private_pem())
    try:
        # A link, unlike a rename, does not replace: whoever links first has made the key for all.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _keep_folder(path.parent)


def replace_private(path: Path, pem: bytes) -> None:
    """This key at `path`, whole or not at all, whatever was there. Raises Misconfigured where it cannot be written."""
    try:
        make_folders(path.parent)
        draft = _draft(path, pem)
        draft.replace(path)
        _keep_folder(path.parent)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; the service must own its folder") from None


def _draft(path: Path, pem: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink()
        raise
    return draft


def _keep_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def make_folders(folder: Path) -> None:
    """0700 each; `mkdir(parents=True, mode=…)` would give the mode to the last one only."""
    for parent in reversed([folder, *folder.parents]):
        parent.mkdir(mode=0o700, exist_ok=True)


def read_private(path: Path) -> bytes:
    """Raises Misconfigured where others may read it, and OSError where we may not."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise Misconfigured(f"others than its owner may use {path}; run: chmod 600 {path}")
        return file.read(65_536)


def _parse(pem: bytes, path: Path) -> Vapid02:
    advice = f"{SETTING}: {path} is not a P-256 private key in PEM; restore it from the backup, since every reader's"
    advice += " subscription is bound to it, or move it away to begin with a new key and no readers"
    try:
        vapid = Vapid02.from_pem(pem)
    except (ValueError, TypeError, IndexError):
        raise Misconfigured(advice) from None
    key = vapid.private_key
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise Misconfigured(advice)
    return vapid
