"""The push services that are simulated, their hosts, and the shapes of their endpoints."""

import base64
import secrets
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import quote


class PushServiceName(StrEnum):
    """One value for each push service, as Tocsin names them."""

    FCM = "fcm"
    MOZILLA = "mozilla"
    APPLE = "apple"
    WNS = "wns"


# The first host is the one that new browsers get. Debian's Chromium subscribes at the second host of FCM.
HOSTS: Mapping[PushServiceName, tuple[str, ...]] = MappingProxyType(
    {
        PushServiceName.FCM: ("fcm.googleapis.com", "jmt17.google.com"),
        PushServiceName.MOZILLA: ("updates.push.services.mozilla.com",),
        PushServiceName.APPLE: ("web.push.apple.com",),
        PushServiceName.WNS: ("wns2-par02p.notify.windows.com",),
    }
)


def _fcm_path() -> str:
    return f"/fcm/send/{_letters(22)}:APA91b{_letters(134)}"


def _mozilla_path() -> str:
    return f"/wpush/v2/gAAAAA{_letters(170)}"


def _apple_path() -> str:
    return f"/Q{_letters(171)}"


def _wns_path() -> str:
    # WNS alone keeps its token in the query, percent-escaped in lower case: whoever rebuilds the URL breaks it.
    token = quote(base64.b64encode(secrets.token_bytes(128)).decode(), safe="")
    return f"/w/?token=BQYAAAC{token.replace('%2F', '%2f').replace('%2B', '%2b').replace('%3D', '%3d')}"


def _letters(count: int) -> str:
    """`count` random base64url characters."""
    return secrets.token_urlsafe(count)[:count]


_PATHS: Mapping[PushServiceName, Callable[[], str]] = {
    PushServiceName.FCM: _fcm_path,
    PushServiceName.MOZILLA: _mozilla_path,
    PushServiceName.APPLE: _apple_path,
    PushServiceName.WNS: _wns_path,
}


def new_path(push_service: PushServiceName) -> str:
    """Path and query of a new endpoint, with the length and alphabet of the real ones."""
    return _PATHS[push_service]()
