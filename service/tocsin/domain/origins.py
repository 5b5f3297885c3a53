"""An origin (RFC 6454) as browsers write it in `Origin`: only so written do two of them compare equal."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A DNS name, or an address in digits. Names in other scripts have a form in ASCII (RFC 5891), which browsers send.
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def parse_origin(text: str) -> str:
    """Scheme, host and port, in lower case and without the scheme's own port; one slash at the end will do.

    Raises ValueError with what is wrong.
    """
    # The parser passes over blanks and line ends.
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"{text!r} must be in ASCII without blanks; of other names write the form xn--…")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} is no address of a site") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{text!r} must be http:// or https:// and a host, such as https://alerts.example.com")
    if unwanted := _unwanted(parts):
        raise ValueError(f"{text!r} must be scheme and host alone: leave {unwanted} out")
    own_port = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{_host(parts.hostname)}{own_port}"


def _host(name: str) -> str:
    if ":" in name:
        return f"[{ip_address(name).compressed}]"
    if not _HOST.fullmatch(name):
        raise ValueError(f"{name!r} is no host's name")
    return name


def _unwanted(parts: SplitResult) -> str:
    """What is there beside scheme and host."""
    if "@" in parts.netloc:
        return "the user's name"
    if parts.path not in ("", "/"):
        return "the path"
    return "what follows ? or #" if parts.query or parts.fragment else ""
