"""The files of the VAPID keys: one that takes another's place, one of another provider, one that goes."""

import base64
import binascii
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from py_vapid import Vapid02

from tocsin.domain.errors import Conflict, Misconfigured, NotFound
from tocsin.locks import try_lock
from tocsin.push.vapid import ApplicationServer, make_folders, read_private, replace_private
from tocsin.push.vapid_keys import older_folder

# The order of P-256's group (FIPS 186-5): a private key is 1 to one less.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_KNOWN = "a private key in PEM (PKCS8 or SEC1), 43 base64url characters, or JSON with `privateKey`"


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Only one at a time: of two that rotate at once the first one's new key would be nowhere, and whoever subscribed
    with it in between would get nothing. Raises Conflict for the second."""
    try:
        make_folders(path.parent)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; the service must own its folder") from None
    try:
        if not try_lock(folder):
            raise Conflict(f"another command is changing the keys in {path.parent} at this moment")
        yield
    finally:
        os.close(folder)


def rotate(path: Path, subject: str) -> ApplicationServer:
    """A new key at `path`; the one that was there stays in force for those who subscribed with it."""
    vapid = Vapid02()
    vapid.generate_keys()
    return install(_pem(vapid), path, subject)


def install(pem: bytes, path: Path, subject: str) -> ApplicationServer:
    """This key becomes the present one. Killed anywhere, the one before is still there, at one place or the other."""
    if path.exists():
        keep_older(_pem_of(path, subject), path)
    replace_private(path, pem)
    made = ApplicationServer.load(path, subject)
    with suppress(FileNotFoundError):
        _older_file(path, made.key_id).unlink()  # one that was in force before, and is again
    return made


def keep_older(pem: bytes, path: Path) -> ApplicationServer:
    """This key is for those who subscribed with it; nobody new does."""
    key = ApplicationServer(Vapid02.from_pem(pem), "")
    replace_private(_older_file(path, key.key_id), pem)
    return key


def retire(path: Path, key_id: bytes) -> None:
    """Deletes an older key for good. Raises NotFound where there is none of this id."""
    try:
        _older_file(path, key_id).unlink()
    except FileNotFoundError:
        raise NotFound(f"{key_id.hex()} is no older key here: see `tocsin keys vapid list`") from None


def read_foreign(file: Path) -> bytes:
    """The key in a file of another provider or library, as PEM. Raises Misconfigured with what is wrong with it."""
    try:
        raw = read_private(file)
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from None
    try:
        text = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Misconfigured(f"{file}: is no text; it must hold {_KNOWN}") from None
    if text.startswith("-----BEGIN"):
        return _pem(Vapid02(_from_pem(text, file)))
    return _pem(_from_json(text, file) if text.startswith("{") else _from_raw(text, file))


def _from_pem(text: str, file: Path) -> EllipticCurvePrivateKey:
    if "PRIVATE KEY" not in text.partition("\n")[0] and "EC PARAMETERS" not in text.partition("\n")[0]:
        raise Misconfigured(f"{file}: is no private key; it must hold {_KNOWN}")
    try:
        # OpenSSL writes the curve's name in a block of its own before a SEC1 key.
        key = load_pem_private_key(text[text.rindex("-----BEGIN") :].encode(), None)
    except TypeError:
        raise Misconfigured(f"{file}: is encrypted; write it without a passphrase (openssl pkey -in …)") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Misconfigured(f"{file}: is a PEM that cannot be read; it must hold {_KNOWN}") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise Misconfigured(f"{file}: is no key on an elliptic curve; Web Push takes P-256 (RFC 8292 §2)")
    if not isinstance(key.curve, SECP256R1):
        raise Misconfigured(f"{file}: is on the curve {key.curve.name}; Web Push takes P-256 (RFC 8292 §2)")
    return key


def _from_json(text: str, file: Path) -> Vapid02:
    """As `web-push generate-vapid-keys --json` gives it."""
    try:
        found = json.loads(text)
        private, public = str(found["privateKey"]), found.get("publicKey")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(f"{file}: is no JSON with `privateKey`; it must hold {_KNOWN}") from None
    vapid = _from_raw(private, file)
    if public is not None and str(public).rstrip("=") != ApplicationServer(vapid, "").public_key:
        raise Misconfigured(f"{file}: `publicKey` is not that of `privateKey`")
    return vapid


def _from_raw(text: str, file: Path) -> Vapid02:
    try:
        plain = text.rstrip("=").replace("+", "-").replace("/", "_")
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Misconfigured(f"{file}: is neither PEM nor base64url; it must hold {_KNOWN}") from None
    if len(raw) == 65:
        raise Misconfigured(f"{file}: is a public key (65 bytes); the private one has 32")
    if len(raw) != 32 or not 0 < int.from_bytes(raw) < _ORDER:
        raise Misconfigured(f"{file}: {len(raw)} bytes are no private key on P-256, which has 32")
    return Vapid02(derive_private_key(int.from_bytes(raw), SECP256R1()))


def _pem(vapid: Vapid02) -> bytes:
    pem: bytes = vapid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def _pem_of(path: Path, subject: str) -> bytes:
    ApplicationServer.load(path, subject)  # tells what is wrong with it
    return read_private(path)


def _older_file(path: Path, key_id: bytes) -> Path:
    return older_folder(path) / f"{key_id.hex()}.pem"
