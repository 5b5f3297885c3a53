"""Who calls: an API key, or nobody in particular. Addresses count only for rates and loopback."""

import hmac
import ipaddress

from aiohttp import web

from tocsin.api.call import bearer_of
from tocsin.api.services import Services
from tocsin.domain.errors import Forbidden, Unauthorized
from tocsin.domain.roles import Role, holds
from tocsin.store.api_keys import Caller

NOBODY = Caller("", "", frozenset())
_PROXY_HEADERS = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")


async def authorize(request: web.Request, services: Services, *roles: Role) -> Caller:
    """Raises Unauthorized without a key that we know, Forbidden without any of the roles."""
    text = bearer_of(request)
    if text is None:
        raise Unauthorized("send an API key as Authorization: Bearer <key>")
    caller = await _find(text, services)
    if caller is None:
        raise Unauthorized("this API key is not known here")
    if not any(holds(caller.roles, role) for role in roles):
        raise Forbidden(f"this key needs the role {roles[0]}")
    return caller


async def _find(text: str, services: Services) -> Caller | None:
    admin_key = services.settings.admin_key
    if admin_key is not None and hmac.compare_digest(text.encode(), admin_key.get_secret_value().encode()):
        return Caller("admin-key", "ADMIN_KEY", frozenset({Role.ADMIN}))
    return await services.store.api_keys.find(text)


def client_address(request: web.Request, trusted_proxies: tuple[str, ...]) -> str:
    """The reader's address: that of the connection, or what the last trusted proxy says."""
    address = request.remote or ""
    forwarded = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    while forwarded and is_trusted(address, trusted_proxies):
        said = forwarded.pop()
        if _address(said) is None:
            break
        address = said
    return address


def counted_as(address: str) -> str:
    """What a rate counts as one address: whoever has one in IPv6 has 2^64 of them, so its network stands for all."""
    parsed = _address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
    return str(parsed or address)


def untrusted_proxy(request: web.Request, trusted_proxies: tuple[str, ...]) -> str | None:
    """The address of a caller who says for whom it asks and is not believed: most often a proxy nobody told us of.

    A public one may be a reader's own, so only its network is given (/24, or /48 of IPv6).
    """
    address = request.remote or ""
    if not _proxied(request) or is_trusted(address, trusted_proxies):
        return None
    parsed = _address(address)
    if parsed is None or not parsed.is_global:
        return address
    return str(ipaddress.ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))


def is_local(request: web.Request) -> bool:
    """A caller on this machine that no proxy stands before."""
    address = _address(request.remote or "")
    # The host's name too: a page elsewhere could have its own name lead here (DNS rebinding).
    host = request.url.host or ""
    named = _address(host)
    here = host == "localhost" or (named is not None and named.is_loopback)
    return address is not None and address.is_loopback and here and not _proxied(request)


def _proxied(request: web.Request) -> bool:
    return any(name.lower().startswith(("x-forwarded-", *_PROXY_HEADERS)) for name in request.headers)


def is_trusted(text: str, networks: tuple[str, ...]) -> bool:
    """Of a network it is enough that part of it is."""
    if "/" in text:
        noted = ipaddress.ip_network(text)
        named = [ipaddress.ip_network(name, strict=False) for name in networks]
        return any(each.version == noted.version and each.overlaps(noted) for each in named)
    address = _address(text)
    return address is not None and any(address in ipaddress.ip_network(name, strict=False) for name in networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IPv4 address that is written as one of IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
