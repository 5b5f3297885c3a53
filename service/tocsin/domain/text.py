"""What a headline, a body and a link may hold: they stand on lock screens, where a trick is a phishing door."""

import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

import regex

from tocsin.domain.endpoints import host_allowed

MAX_LINK = 2_048

# Overrides, embeddings and isolates can make text read otherwise than it is stored (Trojan Source). The marks LRM
# and RLM and the joiners ZWJ and ZWNJ only shape it, and Persian, Hebrew and emoji need them.
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ALLOWED_FORMAT = frozenset("\u200c\u200d\u200e\u200f")


def graphemes(text: str) -> int:
    """How many characters a reader sees (UAX #29 clusters)."""
    return len(regex.findall(r"\X", text))


def shortened(text: str, most: int) -> str:
    """The text, cut to so many graphemes with an ellipsis at its end."""
    clusters = regex.findall(r"\X", text)
    return text if len(clusters) <= most else "".join(clusters[: most - 1]).rstrip() + "…"


def text_fault(text: str, least: int, most: int) -> str | None:
    """Why this cannot stand on a screen, or None. Counts in graphemes; a body may hold line breaks nowhere."""
    if any(character in _BIDI_OVERRIDES for character in text):
        return "holds a bidirectional override"
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Co", "Zl", "Zp") or (category == "Cf" and not _shapes_text(character)):
            return f"holds the control character U+{ord(character):04X}"
    count = graphemes(text)
    if not least <= count <= most:
        return f"must have {least} to {most} characters, not {count}"
    if least and not text.strip():
        return "is blank"
    return None


def _shapes_text(character: str) -> bool:
    # Tags (U+E0020 to U+E007F) make the flags of England, Scotland and Wales.
    return character in _ALLOWED_FORMAT or 0xE0020 <= ord(character) <= 0xE007F


def link_fault(text: str, allowed_hosts: Sequence[str]) -> str | None:
    """Why a reader must not be sent there, or None. An empty list of hosts allows every https host."""
    if len(text) > MAX_LINK:
        return f"is longer than {MAX_LINK:,} characters"
    if not text.isascii() or not text.isprintable() or any(character in ' \\"<>^`{|}' for character in text):
        return "must be a URL in visible ASCII (percent-encode anything else)"
    if not text.startswith("https://"):
        return "must begin with https://"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if not host or "@" in parts.netloc:
        return "must name a host and carry no user information"
    if allowed_hosts and not host_allowed(host, allowed_hosts):
        return f"{host} is not among the hosts that alerts may link to (ALLOWED_LINK_HOSTS)"
    return None
