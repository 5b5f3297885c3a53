"""From a subscription's record to an envelope that is ready to go."""

from dataclasses import dataclass
from datetime import datetime

from tocsin.domain.alerts import Alert
from tocsin.domain.endpoints import parse_endpoint
from tocsin.domain.errors import Invalid
from tocsin.domain.payload import collapse_key, notification, urgency
from tocsin.domain.subscriptions import Record
from tocsin.push.encryption import encrypt, pad
from tocsin.push.sender import Envelope
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings


@dataclass(frozen=True, slots=True)
class Letter:
    """An envelope and whose it is; `packed` is the record that it was made from."""

    slot: int
    packed: bytes
    envelope: Envelope


class Letters:
    """All that is the same for every reader of an alert is made once."""

    def __init__(self, alert: Alert, began_at: datetime, server: ApplicationServer, settings: Settings) -> None:
        self._alert = alert
        self._began_at = began_at
        self._server = server
        self._settings = settings
        self._padded = pad(notification(alert))
        self._urgency = urgency(alert.draft.level)
        self._collapse_key = collapse_key(alert.id)

    def write(self, slot: int, packed: bytes, now: datetime) -> Letter | None:
        """None where no push can go: its host was taken off the allow-list, or it subscribed with another key.

        Raises UnknownRecord for a record that a newer version wrote.
        """
        record = Record.unpack(packed)
        try:
            endpoint = parse_endpoint(record.endpoint, self._settings.allowed_push_hosts)
        except Invalid:
            return None
        if record.vapid_key_id != self._server.key_id:
            return None
        envelope = Envelope(
            url=record.endpoint,
            authorization=self._server.authorization(endpoint.origin, now),
            body=encrypt(self._padded, record.p256dh, record.auth),
            ttl=self._alert.ttl_at(now, self._began_at),
            urgency=self._urgency,
            collapse_key=self._collapse_key,
        )
        return Letter(slot, packed, envelope)
