"""Which sender takes the messages: SENDER decides."""

from tocsin.push.curl_sender import CurlSender
from tocsin.push.http2_sender import Http2Sender
from tocsin.push.sender import Sender
from tocsin.settings import SenderKind, Settings


def make_sender(settings: Settings) -> Sender:
    """Raises Misconfigured for certificates or targets that cannot be used."""
    if settings.sender is SenderKind.CURL:
        return CurlSender.from_settings(settings)
    return Http2Sender.from_settings(settings)
