"""Checks VAPID (RFC 8292) with `cryptography` alone: an independent judge of what the sender signs."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tocsin.simulator.encoding import decode, encode
from tocsin.simulator.refusals import Refusal

MAX_LIFETIME_SECONDS = 24 * 3600  # RFC 8292 §2
SIGNATURE_BYTES = 64  # r and s of ES256, RFC 7518 §3.4
# Senders that sign for every message would fill the memory: the oldest token is forgotten beyond this.
TOKENS_REMEMBERED = 20_000

_PARAMETER = re.compile(r"""([a-z]+)\s*=\s*"?([A-Za-z0-9_.=-]+)"?""")


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose signature is good: its claims, and the key that signed it (base64url)."""

    key: str
    audience: str
    expires: float
    subject: str


class Vapid:
    """One push service's memory of `Authorization` headers: a signature is verified once."""

    def __init__(self) -> None:
        self.distinct = 0
        self._seen: dict[str, Token | Refusal] = {}

    def read(self, authorization: str | None) -> Token | Refusal:
        """The token of a header `vapid t=…, k=…`, or why there is none."""
        if authorization is None:
            return Refusal.NO_TOKEN
        found = self._seen.get(authorization)
        if found is None:
            self.distinct += 1
            if len(self._seen) >= TOKENS_REMEMBERED:
                del self._seen[next(iter(self._seen))]
            found = self._seen[authorization] = _verified(authorization)
        return found


def refuse_claims(token: Token, *, origin: str, now: float, sub_required: bool) -> Refusal | None:
    """What RFC 8292 §2 asks of the claims; `now` in seconds since 1970.

    `sub_required` is Apple's stricter way: a subject must be there and name a host that could exist.
    """
    if token.audience != origin:
        return Refusal.BAD_TOKEN
    if not now < token.expires <= now + MAX_LIFETIME_SECONDS:
        return Refusal.BAD_TOKEN
    if not token.subject:
        return Refusal.BAD_SUBJECT if sub_required else None
    host = _contact_host(token.subject)
    if host is None or (sub_required and _is_unreachable(host)):
        return Refusal.BAD_SUBJECT
    return None


def _verified(authorization: str) -> Token | Refusal:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "vapid":
        return Refusal.NO_TOKEN
    parameters = dict(_PARAMETER.findall(rest))
    try:
        return _open(parameters["t"], parameters["k"])
    except (KeyError, ValueError, TypeError, InvalidSignature):
        return Refusal.BAD_TOKEN


def _open(jwt: str, key: str) -> Token:
    """Verify an ES256 JWT against the raw public key `key`; raises what the caller takes for a bad token."""
    head, claims, signature = jwt.split(".")
    raw_key, raw_signature = decode(key), decode(signature)
    if json.loads(decode(head))["alg"] != "ES256" or len(raw_signature) != SIGNATURE_BYTES:
        raise ValueError("not ES256")
    public_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw_key)
    r, s = int.from_bytes(raw_signature[:32]), int.from_bytes(raw_signature[32:])
    public_key.verify(encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    values = json.loads(decode(claims))
    return Token(encode(raw_key), str(values["aud"]), float(values["exp"]), str(values.get("sub") or ""))


def _contact_host(subject: str) -> str | None:
    """The host of a mailto: or https: contact; None for any other form."""
    if subject.startswith("mailto:"):
        name, at, host = subject.removeprefix("mailto:").partition("@")
        return host.lower() if name and at and host else None
    if subject.startswith("https://"):
        return urlsplit(subject).hostname
    return None


def _is_unreachable(host: str) -> bool:
    return host == "localhost" or host.endswith((".localhost", ".local", ".invalid"))
