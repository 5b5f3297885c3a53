"""One request on one libcurl easy handle, used again and again: what is set once, for each envelope, and read after."""

import socket

import pycurl

from tocsin import clock
from tocsin.domain.deliveries import Answer, Failure
from tocsin.push.answers import MAX_DETAIL, failure, parse_retry_after
from tocsin.push.guard import Guard
from tocsin.push.sender import Envelope

_RETRY_AFTER = b"retry-after:"


class CurlRequest:
    """`easy` is libcurl's handle. `options` are set once and hold for every envelope."""

    def __init__(self, options: dict[int, object], guard: Guard) -> None:
        self.easy = pycurl.Curl()
        self._guard = guard
        for option, value in options.items():
            self.easy.setopt(option, value)
        self.easy.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        self.easy.setopt(pycurl.WRITEFUNCTION, self._take_body)
        # A list's own method: a reply has six lines or more, and one of ours for each cost 1.5 µs a message.
        self._lines: list[bytes] = []
        self.easy.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._head: tuple[str, int, str, str | None] | None = None
        self._limits = (0.0, 0.0)
        self._admitted = self._refused = 0
        self._body = b""

    def load(self, envelope: Envelope) -> None:
        self._admitted = self._refused = 0
        self._body = b""
        self._lines.clear()
        self.easy.setopt(pycurl.URL, envelope.url)
        self.easy.setopt(pycurl.POSTFIELDS, envelope.body)
        # The messages of an alert to one push service share all headers: setting them anew costs 2 µs.
        head = (envelope.authorization, envelope.ttl, envelope.urgency, envelope.collapse_key)
        if head != self._head:
            self.easy.setopt(pycurl.HTTPHEADER, _headers(envelope))
            self._head = head

    def limit(self, connect_seconds: float, request_seconds: float) -> None:
        """The most until the request starts, and until it ends; 1 ms at least, for 0 would be no limit."""
        if (connect_seconds, request_seconds) != self._limits:
            self.easy.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(connect_seconds * 1000)))
            self.easy.setopt(pycurl.TIMEOUT_MS, max(1, int(request_seconds * 1000)))
            self._limits = (connect_seconds, request_seconds)

    def connections(self) -> int:
        """How many connections this request opened."""
        return int(self.easy.getinfo(pycurl.NUM_CONNECTS)) if self._admitted else 0

    def answer(self, code: int) -> Answer:
        """What libcurl's result `code` and the reply come to."""
        status: int = self.easy.getinfo(pycurl.RESPONSE_CODE)
        seconds: float = self.easy.getinfo(pycurl.TOTAL_TIME)
        if status < 200:
            return Answer(0, self._failure(code), seconds=seconds)
        # A final status stands, whatever befell the rest (too long, cut off, too slow): after a 201 the push service
        # has the message, and asking again would send it twice.
        if status == 201 and not self._body:
            return Answer(status, seconds=seconds)
        return Answer(status, None, self._retry_after(), self._body.decode(errors="replace"), seconds)

    def _retry_after(self) -> float | None:
        """The last of them, where a reply was preceded by another (1xx)."""
        for line in reversed(self._lines):
            if line[:12].lower() == _RETRY_AFTER:
                return parse_retry_after(line[12:].decode("latin-1"), clock.now())
        return None

    def _failure(self, code: int) -> Failure:
        if self._refused and not self._admitted:
            return Failure.REFUSED_ADDRESS
        return failure(code)

    def _open_socket(self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]) -> "socket.socket | int":
        """CURLOPT_OPENSOCKETFUNCTION: the address is what was resolved, so that no name can be changed under us."""
        family, kind, protocol, target = address
        if family not in (socket.AF_INET, socket.AF_INET6) or not self._guard.admits(*target[:2]):
            self._refused += 1
            return int(pycurl.SOCKET_BAD)
        self._admitted += 1
        return LentSocket(family, kind, protocol)

    def _take_body(self, chunk: bytes) -> int | None:
        room = MAX_DETAIL - len(self._body)
        self._body += chunk[:room]
        # Taking less than was offered makes libcurl give up this stream; over HTTP/2 the connection lives on.
        return None if len(chunk) <= room else room


class LentSocket(socket.socket):
    """A socket that pycurl duplicates, so that this one is closed as soon as it lets go."""

    def __del__(self) -> None:
        self.close()


def _headers(envelope: Envelope) -> list[str]:
    """RFC 8030 §5, RFC 8188 §2 and RFC 8292 §3. An empty value takes a header of libcurl's own away."""
    headers = [
        f"TTL: {envelope.ttl}",
        f"Urgency: {envelope.urgency}",
        "Content-Encoding: aes128gcm",
        "Content-Type: application/octet-stream",
        f"Authorization: {envelope.authorization}",
        "Accept:",
        "Expect:",
    ]
    if envelope.collapse_key is not None:
        headers.append(f"Topic: {envelope.collapse_key}")
    return headers
