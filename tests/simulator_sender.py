"""A sender of pushes for these tests: real TLS and HTTP/2 by libcurl, VAPID by py_vapid, encryption by pywebpush."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pycurl
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pywebpush import WebPusher

from tocsin.simulator.encoding import encode
from tocsin.simulator.models import BrowserView


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    version: int

    def json(self) -> Any:
        return json.loads(self.body)


def new_vapid() -> Vapid02:
    vapid = Vapid02(conf={"no-strict": True})  # it would refuse to sign the wrong subjects that are tried here
    vapid.generate_keys()
    return vapid


def public_key(vapid: Vapid02) -> str:
    return encode(vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def payload(alert: str = "al_1", title: str = "A headline") -> bytes:
    notification = {"title": title, "navigate": "https://news.example/1", "data": {"tocsin": {"alert": alert}}}
    return json.dumps({"web_push": 8030, "notification": notification}).encode()


@dataclass
class Sender:
    """One application server. `push` gives the push service's answer, or raises pycurl.error."""

    ca_file: Path
    connect_to: str
    vapid: Vapid02 = field(default_factory=new_vapid)
    http_version: int = pycurl.CURL_HTTP_VERSION_2TLS

    @property
    def key(self) -> str:
        return public_key(self.vapid)

    def authorization(self, endpoint: str, **claims: Any) -> str:
        parts = urlsplit(endpoint)
        whole = {
            "aud": f"https://{parts.netloc}",
            "exp": int(time.time()) + 3600,
            "sub": "mailto:desk@news.example",
        } | claims
        header: str = self.vapid.sign(whole)["Authorization"]
        return header

    def encrypt(self, browser: BrowserView, data: bytes) -> bytes:
        body: bytes = WebPusher(browser.subscription.model_dump()).encode(data, "aes128gcm")["body"]
        return body

    async def push_all(self, browsers: Sequence[BrowserView], data: bytes) -> Counter[int]:
        """Push to each of one push service's browsers, over one connection; how often each status came."""
        authorization = self.authorization(browsers[0].subscription.endpoint)
        lines = ["TTL: 60", "Content-Encoding: aes128gcm", f"Authorization: {authorization}"]
        requests = [(browser.subscription.endpoint, self.encrypt(browser, data)) for browser in browsers]
        return await asyncio.to_thread(self._perform_all, requests, lines)

    async def push(
        self,
        browser: BrowserView,
        data: bytes = payload(),
        *,
        headers: Mapping[str, str | None] | None = None,
        body: bytes | None = None,
        method: str = "POST",
        endpoint: str | None = None,
        timeout: float = 10,
    ) -> Answer:
        """Push `data` encrypted, or `body` as it is; `headers` replace the right ones, None leaves one out."""
        url = endpoint or browser.subscription.endpoint
        if body is None:
            body = self.encrypt(browser, data)
        wanted: dict[str, str | None] = {
            "TTL": "60",
            "Content-Encoding": "aes128gcm",
            "Authorization": self.authorization(url),
            "Content-Type": "application/octet-stream",
        }
        lines = [f"{name}: {value}" for name, value in (wanted | dict(headers or {})).items() if value is not None]
        return await asyncio.to_thread(self._perform, method, url, lines, body, timeout)

    def _handle(self, method: str, url: str, lines: list[str], body: bytes) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTP_VERSION, self.http_version)
        curl.setopt(pycurl.CONNECT_TO, self.connect_to.split(","))
        curl.setopt(pycurl.CAINFO, str(self.ca_file))
        curl.setopt(pycurl.POST, True)
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        curl.setopt(pycurl.HTTPHEADER, [*lines, "Expect:"])  # large bodies go at once, without asking first
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PIPEWAIT, 1)
        return curl

    def _perform(self, method: str, url: str, lines: list[str], body: bytes, timeout: float) -> Answer:
        curl, content, head = self._handle(method, url, lines, body), BytesIO(), BytesIO()
        try:
            curl.setopt(pycurl.WRITEDATA, content)
            curl.setopt(pycurl.HEADERFUNCTION, head.write)
            curl.setopt(pycurl.TIMEOUT_MS, int(timeout * 1000))
            curl.perform()
            pairs = (line.split(": ", 1) for line in head.getvalue().decode("latin-1").split("\r\n") if ": " in line)
            return Answer(
                curl.getinfo(pycurl.RESPONSE_CODE),
                {name.lower(): value for name, value in pairs},
                content.getvalue(),
                curl.getinfo(pycurl.INFO_HTTP_VERSION),
            )
        finally:
            curl.close()

    def _perform_all(self, requests: list[tuple[str, bytes]], lines: list[str]) -> Counter[int]:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        handles = [self._handle("POST", url, lines, body) for url, body in requests]
        for handle in handles:
            multi.add_handle(handle)
        running = len(handles)
        while running:
            _, running = multi.perform()
            multi.select(0.1)
        statuses = Counter(handle.getinfo(pycurl.RESPONSE_CODE) for handle in handles)
        for handle in handles:
            multi.remove_handle(handle)
            handle.close()
        multi.close()
        return statuses
