"""A subscriber with its private key, who can read what is sent to it; and the type of the fixture `make_sender`."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.push.curl_sender import CurlSender
from tocsin.push.http2_sender import Http2Sender

AnySender = CurlSender | Http2Sender
MakeSender = Callable[..., AbstractAsyncContextManager[AnySender]]


@dataclass(frozen=True)
class Browser:
    private_key: EllipticCurvePrivateKey
    auth: bytes

    @property
    def p256dh(self) -> bytes:
        return self.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
