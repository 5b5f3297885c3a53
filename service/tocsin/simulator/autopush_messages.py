"""The frames that Firefox sends over its push connection; fields that are not needed here are ignored."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, field_validator

from tocsin.simulator.encoding import decode


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_alias=True)


class Ping(_Frame):
    """`{}`, or with the type `ping`: answered by `{}`."""


class Hello(_Frame):
    uaid: str | None = None


class Register(_Frame):
    channel_id: str = Field(alias="channelID", min_length=1, max_length=64)
    key: str | None = None

    @field_validator("key")
    @classmethod
    def _is_base64url(cls, key: str | None) -> str | None:
        if key is not None:
            decode(key)
        return key


class Unregister(_Frame):
    channel_id: str = Field(alias="channelID")


class AckUpdate(_Frame):
    channel_id: str = Field(alias="channelID")
    version: str


class Ack(_Frame):
    updates: tuple[AckUpdate, ...]


class Nack(_Frame):
    version: str


class BroadcastSubscribe(_Frame):
    broadcasts: dict[str, Any] = {}


FirefoxMessage = Ping | Hello | Register | Unregister | Ack | Nack | BroadcastSubscribe


def _kind(frame: Any) -> str:
    return str(frame.get("messageType", "ping")) if isinstance(frame, dict) else ""


FROM_FIREFOX: TypeAdapter[FirefoxMessage] = TypeAdapter(
    Annotated[
        Annotated[Ping, Tag("ping")]
        | Annotated[Hello, Tag("hello")]
        | Annotated[Register, Tag("register")]
        | Annotated[Unregister, Tag("unregister")]
        | Annotated[Ack, Tag("ack")]
        | Annotated[Nack, Tag("nack")]
        | Annotated[BroadcastSubscribe, Tag("broadcast_subscribe")],
        Discriminator(_kind),
    ]
)
