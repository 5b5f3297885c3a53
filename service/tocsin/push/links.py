"""Opens an alert's link as a reader's browser would, to see whether the page is there yet.

A link is a URL that we follow from inside the newsroom's network, so it goes only where an endpoint may go: every
address is checked at connect, also after a redirect, and the port is 443.
"""

import asyncio
import socket
from pathlib import Path
from typing import NamedTuple

import pycurl

from tocsin.domain.deliveries import Failure
from tocsin.push.answers import failure
from tocsin.push.curl_loop import CurlLoop
from tocsin.push.curl_request import LentSocket
from tocsin.push.guard import Guard
from tocsin.push.trust import ca_bundle
from tocsin.settings import Settings

SECONDS = 2.0
MAX_REDIRECTS = 3
MAX_BODY = 4_096
MAX_CONNECTIONS = 16

# A server that knows no HEAD says so (RFC 9110 §15.5.6, §15.6.2).
_ONLY_GET = (405, 501)

_WORDS = {
    Failure.TIMEOUT: f"does not answer within {SECONDS:.0f} s",
    Failure.DNS: "is on a host that cannot be found",
    Failure.CONNECT: "is on a host that refuses connections",
    Failure.TLS: "is on a host whose certificate browsers would not trust",
    Failure.REFUSED_ADDRESS: "redirects away from https",
    Failure.BROKEN: "gives an answer that breaks off",
}


class Links:
    """`ca_bundle` comes from `trust`. One for an event loop; `close` gives up what is under way."""

    def __init__(self, *, ca_bundle: Path, guard: Guard) -> None:
        self._guard = guard
        self._options = _options(ca_bundle, guard)
        self._loop: CurlLoop | None = None
        self._under_way: dict[pycurl.Curl, _Opening] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> "Links":
        """Raises Misconfigured for certificates or targets that cannot be used."""
        bundle = ca_bundle(settings.push_ca_file, settings.data_dir)
        return cls(ca_bundle=bundle, guard=Guard(settings.push_connect_to))

    async def fault(self, url: str) -> str | None:
        """Why readers would not get the page, as the rest of a sentence; None where they would."""
        until = asyncio.get_running_loop().time() + SECONDS
        opened = await self._open(url, SECONDS, head=True)
        left = until - asyncio.get_running_loop().time()
        if opened.status in _ONLY_GET and left > 0:
            opened = await self._open(url, left, head=False)
        return _fault(opened)

    async def _open(self, url: str, seconds: float, *, head: bool) -> "_Opened":
        opening = _Opening(self._guard, asyncio.get_running_loop().create_future())
        for option, value in self._options.items():
            opening.easy.setopt(option, value)
        opening.easy.setopt(pycurl.URL, url)
        opening.easy.setopt(pycurl.NOBODY if head else pycurl.HTTPGET, 1)
        opening.easy.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1_000)))
        # One for good: a multi that is closed waits for its DNS lookups, for ten seconds where no DNS server answers.
        self._loop = self._loop or CurlLoop(self._done, {pycurl.M_MAX_TOTAL_CONNECTIONS: MAX_CONNECTIONS})
        self._under_way[opening.easy] = opening
        self._loop.add(opening.easy)
        try:
            return await opening.result
        finally:
            if self._under_way.pop(opening.easy, None) and self._loop:
                self._loop.remove(opening.easy)
            opening.easy.close()

    def _done(self, easy: pycurl.Curl, code: int) -> None:
        opening = self._under_way.pop(easy)
        if not opening.result.done():
            opening.result.set_result(_Opened(int(easy.getinfo(pycurl.RESPONSE_CODE)), code, opening.refused))

    async def close(self) -> None:
        under_way = [opening.result for opening in self._under_way.values()]
        for result in under_way:
            result.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.sleep(0)  # whoever waited takes its transfer out
        if self._loop is not None:
            self._loop.close()
            self._loop = None


class _Opened(NamedTuple):
    """The last status that was answered (0 for none), libcurl's code, and whether an address was refused."""

    status: int
    code: int
    refused: bool


class _Opening:
    """One request under way, redirects included."""

    def __init__(self, guard: Guard, result: "asyncio.Future[_Opened]") -> None:
        self.easy = pycurl.Curl()
        self.result = result
        self.refused = False
        self._guard = guard
        self._body = 0
        self.easy.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        self.easy.setopt(pycurl.WRITEFUNCTION, self._take_body)

    def _open_socket(self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]) -> "socket.socket | int":
        family, kind, protocol, target = address
        if family not in (socket.AF_INET, socket.AF_INET6) or not self._guard.admits_https(*target[:2]):
            self.refused = True
            return int(pycurl.SOCKET_BAD)
        return LentSocket(family, kind, protocol)

    def _take_body(self, chunk: bytes) -> int | None:
        self._body += len(chunk)
        return None if self._body <= MAX_BODY else 0  # taking less than was offered ends the transfer


def _fault(opened: _Opened) -> str | None:
    # A final status stands, whatever befell the rest of the page. After a redirect that failed it is the redirect's.
    if 200 <= opened.status < 300 or (opened.status and opened.code == pycurl.E_OK):
        return f"answers {opened.status}" if opened.status >= 400 else None
    if opened.status >= 400:
        return f"answers {opened.status}"
    if opened.refused:
        return "leads to an address that is not public, or to another port than 443"
    if opened.code == pycurl.E_TOO_MANY_REDIRECTS:
        return f"redirects more than {MAX_REDIRECTS} times"
    return _WORDS[failure(opened.code)]


def _options(ca_bundle: Path, guard: Guard) -> dict[int, object]:
    options: dict[int, object] = {
        pycurl.PROTOCOLS: pycurl.PROTO_HTTPS,
        pycurl.REDIR_PROTOCOLS: pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 1,
        pycurl.MAXREDIRS: MAX_REDIRECTS,
        # Through a proxy the guard would see the proxy's address only. Where nothing else leads out: LINK_CHECK.
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.CAINFO: str(ca_bundle),
        pycurl.USERAGENT: "Tocsin",
        pycurl.NOSIGNAL: 1,
    }
    if guard.connect_to:
        options[pycurl.CONNECT_TO] = list(guard.connect_to)
    return options
