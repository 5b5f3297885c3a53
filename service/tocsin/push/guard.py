"""Which addresses a connection may go to: an endpoint is a URL that a stranger gave us, and may aim at our inside."""

import ipaddress
import socket
from collections.abc import Sequence

from tocsin.domain.errors import Misconfigured

SETTING = "TOCSIN_PUSH_CONNECT_TO"

# IPv6's global unicast (RFC 4291 §2.4); all else, such as the old site-local fec0::/10, is no public server's.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# NAT64 (RFC 6052 §2.1) is how a network without IPv4 reaches one: judged by the address inside.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Special-purpose blocks (RFC 6890) that Python's `is_global` takes for public, in some versions or in all: protocol
# assignments, 6to4 and Teredo (deprecated tunnels that carry any IPv4 address), documentation, discard.
_NEVER = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("2001::/23"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("3fff::/20"),
)


def is_public(host: str) -> bool:
    """Whether this numeric address is a public server's: global unicast, and not a private one in disguise."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if inside := _embedded(address):
            return is_public(str(inside))
        if address.scope_id is not None or address not in _GLOBAL_UNICAST:
            return False
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


class Guard:
    """Admits public addresses, and exactly the targets of PUSH_CONNECT_TO.

    `connect_to` holds `host:port:host:port` entries, resolved once, here: a name that later resolves to another
    address does not widen what is admitted. Raises Misconfigured for a target that does not resolve.
    """

    def __init__(self, connect_to: Sequence[str] = ()) -> None:
        self.connect_to = tuple(connect_to)
        self._targets = frozenset(target for entry in connect_to for target in _resolve(entry))

    def admits(self, host: str, port: int) -> bool:
        """`host` is numeric, as the resolver gave it."""
        return (host, port) in self._targets or is_public(host)

    def admits_https(self, host: str, port: int) -> bool:
        """The same for a URL whose port nobody has checked: on a public address, only 443."""
        return (host, port) in self._targets or (port == 443 and is_public(host))


def _resolve(entry: str) -> list[tuple[str, int]]:
    _, _, host, port = entry.split(":")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise Misconfigured(f"{SETTING}: {entry}: {host} does not resolve ({error.strerror})") from None
    return [(str(address[0]), int(port)) for *_, address in found]
