"""From a subscription's record to an envelope that is ready to go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog

from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Mark
from tocsin.domain.endpoints import parse_endpoint
from tocsin.domain.errors import Invalid
from tocsin.domain.payload import collapse_key, notification, summary, summary_key, urgency
from tocsin.domain.subscriptions import Record
from tocsin.push.encryption import pad, seal
from tocsin.push.sender import Envelope
from tocsin.push.vapid import MAX_ORIGINS, ApplicationServer
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import Settings
from tocsin_workers.keyring import Keyring

log = structlog.get_logger()

_MOST_MESSAGES = 100


class Letter(NamedTuple):
    """An envelope and whose it is; `packed` is the record that it was made from."""

    slot: int
    packed: bytes
    envelope: Envelope


@dataclass(frozen=True)
class Message:
    """All that is the same for every reader who gets it; `ends_at` is when it is worth nothing any more."""

    padded: bytes
    urgency: str
    collapse_key: str
    ttl: int
    ends_at: datetime

    @classmethod
    def of(cls, alert: Alert, began_at: datetime, receipts: float) -> "Message":
        return cls(
            pad(notification(alert, receipts)),
            urgency(alert.draft.level),
            collapse_key(alert.chain),
            alert.draft.ttl,
            alert.expires_at(began_at),
        )

    @classmethod
    def summing_up(
        cls, alerts: Sequence[Alert], ends_at: datetime, settings: Settings, language: str | None
    ) -> "Message":
        """Several that waited, newest first; `language` is the readers' own."""
        padded = pad(summary(alerts, settings.site_name, settings.receipts_asked, settings.notices, language))
        return cls(padded, "normal", summary_key(alerts), alerts[0].draft.ttl, ends_at)

    def ttl_at(self, now: datetime) -> int:
        """The header TTL in seconds: the asked one, cut to the time left (RFC 8030 §5.2)."""
        return max(0, min(self.ttl, int((self.ends_at - now).total_seconds())))


class Letters:
    def __init__(self, keys: ServerKeys | ApplicationServer, settings: Settings) -> None:
        self._keys = keys
        self._settings = settings
        self._origins: dict[str, str | None] = {}
        self._messages: dict[tuple[str, datetime], Message] = {}
        self._missing: set[bytes] = set()

    def message(self, alert: Alert, began_at: datetime) -> Message:
        """Made once for all shards of an alert, which does not change while it is sent."""
        made = self._messages.get((alert.id, began_at))
        if made is None:
            if len(self._messages) >= _MOST_MESSAGES:
                self._messages.clear()
            made = self._messages[alert.id, began_at] = Message.of(alert, began_at, self._settings.receipts_asked)
        return made

    def _origin(self, url: str) -> str | None:
        """The VAPID audience; None where nothing is sent to this host any more. Found once for a host: whether the rest
        is an endpoint's was found when it was registered."""
        authority = url.removeprefix("https://").partition("/")[0]
        if authority not in self._origins:
            if len(self._origins) >= MAX_ORIGINS:
                self._origins.clear()
            allowed = self._settings.allowed_push_hosts
            try:
                self._origins[authority] = parse_endpoint(f"https://{authority}/", allowed).origin
            except Invalid:
                self._origins[authority] = None
        return self._origins[authority]

    def _tell(self, key_id: bytes) -> None:
        if key_id not in self._missing:
            self._missing.add(key_id)
            log.error("the VAPID key of some subscriptions is not here: `tocsin doctor` says more", key=key_id.hex())

    def write(self, slot: int, packed: bytes, message: Message, now: datetime, keyring: Keyring) -> Letter | Mark:
        """A mark where no push can go: its host was taken off the allow-list, or the key that it subscribed with is not
        here. With another one the push service would refuse it, and hold it against us.

        Raises UnknownRecord for a record that a newer version wrote.
        """
        record = Record.unpack(packed)
        origin = self._origin(record.endpoint)
        if origin is None:
            return Mark.REJECTED
        server = self._keys.of(record.vapid_key_id)
        if server is None:
            self._tell(record.vapid_key_id)
            return Mark.NO_KEY
        envelope = Envelope(
            url=record.endpoint,
            authorization=server.authorization(origin, now),
            body=seal(keyring.key(slot, record, now), message.padded),
            ttl=message.ttl_at(now),
            urgency=message.urgency,
            collapse_key=message.collapse_key,
        )
        return Letter(slot, packed, envelope)
