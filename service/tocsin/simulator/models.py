"""The JSON of the control interface. Times are seconds since 1970."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tocsin.simulator.encoding import decode, encode
from tocsin.simulator.faults import Fault
from tocsin.simulator.services import HOSTS, PushServiceName

MAX_BROWSERS_AT_ONCE = 200_000


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class NewBrowsers(_Model):
    """`push_services` is one name, or shares of any scale: `{"fcm": 0.6, "apple": 0.4}`."""

    count: int = Field(ge=1, le=MAX_BROWSERS_AT_ONCE)
    push_services: PushServiceName | dict[PushServiceName, Annotated[float, Field(ge=0)]]
    application_server_key: str = Field(description="The VAPID public key that the browsers subscribe with, base64url.")
    host: str | None = Field(default=None, description="Another host of the one push service named.")

    @field_validator("application_server_key")
    @classmethod
    def _is_public_key(cls, key: str) -> str:
        raw = decode(key)
        if len(raw) != 65 or raw[0] != 4:
            raise ValueError("not an uncompressed P-256 point of 65 bytes")
        return encode(raw)

    @model_validator(mode="after")
    def _can_be_placed(self) -> "NewBrowsers":
        if isinstance(self.push_services, dict):
            if self.host is not None:
                raise ValueError("host goes with one push service, not with shares")
            if not sum(self.push_services.values()) > 0:
                raise ValueError("push_services: the shares are all zero")
        elif self.host is not None and self.host not in HOSTS[self.push_services]:
            raise ValueError(f"host: {self.push_services} has {', '.join(HOSTS[self.push_services])}")
        return self

    @property
    def shares(self) -> dict[PushServiceName, float]:
        return self.push_services if isinstance(self.push_services, dict) else {self.push_services: 1.0}


class Keys(_Model):
    p256dh: str
    auth: str


class Subscription(_Model):
    """What a page gets from `PushSubscription.toJSON()`."""

    endpoint: str
    expirationTime: None = None  # noqa: N815 - the browser's name
    keys: Keys | None = Field(description="null for a real browser, which keeps them to itself")


class BrowserView(_Model):
    id: str
    push_service: PushServiceName
    subscription: Subscription
    online: bool
    unsubscribed: bool
    requests: int = Field(description="Pushes that reached its endpoint, whatever was answered.")
    received: int = Field(description="Messages that reached the browser.")


class ReceivedMessage(_Model):
    id: str
    accepted_at: float
    received_at: float
    ttl: int
    urgency: str | None
    topic: str | None
    alert: str | None
    text: str | None = Field(description="The plaintext.")
    payload: Any = Field(description="The plaintext as JSON, where it is JSON.")
    problem: str | None = Field(description="Why there is no text.")


class BrowserDetail(BrowserView):
    messages: list[ReceivedMessage] = Field(description="The latest 100, oldest first.")


class BrowserChange(_Model):
    online: bool | None = None
    unsubscribed: bool | None = None


class Received(_Model):
    alert: str
    browsers: dict[str, int] = Field(description="Browser id → how often it received the alert.")


class FaultList(_Model):
    faults: list[Fault] = Field(min_length=1, description="The first that hits a request is done; delays add up.")


class FaultMap(_Model):
    faults: dict[str, list[Fault]] = Field(description="By target: the id of a browser or the name of a push service.")


class LogQuery(_Model):
    push_service: PushServiceName | None = None
    browser: str | None = None
    status: int | Literal["none"] | None = None
    alert: str | None = None
    fault: str | None = None
    limit: int = Field(default=1_000, ge=1, le=500_000)


class LogLine(_Model):
    at: float
    push_service: PushServiceName
    browser: str | None
    status: int | None = Field(description="null where nothing was answered")
    alert: str | None
    topic: str | None
    fault: str | None
    reason: str | None = Field(description="Why it was refused, or why the message could not be read.")
    sealed: str | None = Field(description="The body's first and last 16 bytes in hex: salt and tag.")

    @field_validator("sealed", mode="before")
    @classmethod
    def _as_hex(cls, sealed: Any) -> Any:
        return sealed.hex() if isinstance(sealed, bytes) else sealed


class LogPage(_Model):
    lines: list[LogLine] = Field(description="The latest that match, oldest first.")


class PushServiceSummary(_Model):
    requests: int
    statuses: dict[str, int] = Field(description='Requests by status; "none" got no answer.')
    connections: int
    handshakes: int
    resumed: int
    open_connections: int
    tokens: int = Field(description="Distinct Authorization headers seen: signatures made by the sender.")


class Summary(_Model):
    browsers: int
    requests: int
    statuses: dict[str, int]
    first_at: float | None
    last_at: float | None
    push_services: dict[PushServiceName, PushServiceSummary]
