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
_PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


async def authorize(request: web.Request, services: Services, needed: Role) -> Caller:
    """Raises Unauthorized without a key that we know, Forbidden without the role."""
    text = bearer_of(request)
    if text is None:
        raise Unauthorized("send an API key as Authorization: Bearer <key>")
    caller = await _find(text, services)
    if caller is None:
        raise Unauthorized("this API key is not known here")
    if not holds(caller.roles, needed):
        raise Forbidden(f"this key needs the role {needed}")
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
    while forwarded and _trusted(address, trusted_proxies):
        said = forwarded.pop()
        if not _is_address(said):
            break
        address = said
    return address


def is_local(request: web.Request) -> bool:
    """A caller on this machine that no proxy stands before."""
    address = request.remote or ""
    loopback = _is_address(address) and ipaddress.ip_address(address).is_loopback
    return loopback and not any(name in request.headers for name in _PROXY_HEADERS)


def _trusted(address: str, networks: tuple[str, ...]) -> bool:
    if not _is_address(address):
        return False
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False) for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
