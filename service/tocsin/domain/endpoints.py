"""Endpoints of push services: whose they are, and which we take. An endpoint is a capability URL: never log one."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.domain.errors import Invalid

MAX_ENDPOINT = 2_048

# What the big browsers subscribe to; `jmt17.google.com` is what Debian's Chromium uses. A leading dot adds subdomains.
DEFAULT_PUSH_HOSTS = (
    "fcm.googleapis.com",
    "jmt17.google.com",
    "android.googleapis.com",
    "updates.push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
)

# Push services by the hosts that are theirs; any other host is a push service of its own.
_SERVICES = (
    ("fcm", ("fcm.googleapis.com", "jmt17.google.com", "android.googleapis.com")),
    ("mozilla", ("updates.push.services.mozilla.com",)),
    ("apple", (".push.apple.com",)),
    ("wns", (".notify.windows.com",)),
)
KNOWN_PUSH_SERVICES = tuple(name for name, _ in _SERVICES)

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True)
class Endpoint:
    """A checked endpoint: the text byte for byte as the browser gave it, and its host in lower case."""

    url: str
    host: str

    @property
    def origin(self) -> str:
        """The VAPID audience (RFC 8292 §2): scheme and host; the port is 443 and so left out."""
        return f"https://{self.host}"

    @property
    def push_service(self) -> str:
        """`fcm`, `mozilla`, `apple`, `wns`, or the host of any other."""
        for name, hosts in _SERVICES:
            if host_allowed(self.host, hosts):
                return name
        return self.host


def host_allowed(host: str, allowed: Sequence[str]) -> bool:
    """Whole host, or a dot-suffix where the entry begins with a dot. Never a pattern over the URL."""
    return any(host.endswith(entry) if entry.startswith(".") else host == entry for entry in allowed)


def parse_endpoint(text: str, allowed: Sequence[str], field: str = "subscription.endpoint") -> Endpoint:
    """Raises Invalid, naming the field, for all that is not an endpoint of an allowed push service."""

    def refuse(message: str) -> Invalid:
        return Invalid.at(field, message)

    if len(text) > MAX_ENDPOINT:
        raise refuse(f"is longer than {MAX_ENDPOINT:,} characters")
    if not _VISIBLE_ASCII.fullmatch(text) or "\\" in text or "#" in text:
        raise refuse("must be visible ASCII without backslash or #")
    if not text.startswith("https://"):
        raise refuse("must begin with https://")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refuse("is not a URL") from None
    if "@" in parts.netloc:
        raise refuse("must not carry user information")
    if port not in (None, 443) or parts.netloc.endswith(":"):
        raise refuse("must use port 443")
    host = (parts.hostname or "").lower()
    if not _is_dns_name(host):
        raise refuse("must name its host by a DNS name")
    if not host_allowed(host, allowed):
        raise refuse(f"{host} is not a push service that this server sends to")
    return Endpoint(text, host)


def _is_dns_name(host: str) -> bool:
    if not host or len(host) > 253 or "." not in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    return False
