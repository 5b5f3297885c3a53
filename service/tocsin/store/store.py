"""The whole store behind STORE_URL, as its concepts."""

from tocsin.settings import Settings
from tocsin.store.activity import Activity
from tocsin.store.alerts import Alerts
from tocsin.store.api_keys import ApiKeys
from tocsin.store.client import SOCKET_TIMEOUT, Server
from tocsin.store.drafts import Drafts
from tocsin.store.failures import Failures
from tocsin.store.identity import Identity
from tocsin.store.idleness import Idleness
from tocsin.store.ledgers import Ledgers
from tocsin.store.log import Log
from tocsin.store.numbers import Numbers
from tocsin.store.pace import Pace
from tocsin.store.packing import Packing
from tocsin.store.pauses import Pauses
from tocsin.store.prekeys import SEALS
from tocsin.store.processes import Processes
from tocsin.store.profiles import Profiles
from tocsin.store.quarantine import Quarantine
from tocsin.store.readers import Readers
from tocsin.store.receipts import Receipts
from tocsin.store.runs import Runs
from tocsin.store.schema import Schema
from tocsin.store.secret import Secret
from tocsin.store.storms import Storms
from tocsin.store.subscriptions import Subscriptions
from tocsin.store.tokens import TokenSecret
from tocsin.store.topics import Topics
from tocsin.store.warnings import Warnings
from tocsin.store.windows import Windows


class Store:
    """`async with Store(settings)` closes the connections."""

    def __init__(self, settings: Settings, timeout: float = SOCKET_TIMEOUT, gathers: bool = False) -> None:
        self.server = Server(settings.store, timeout, gathers=gathers)
        self.alerts = Alerts(self.server)
        self.api_keys = ApiKeys(self.server)
        self.drafts = Drafts(self.server)
        self.failures = Failures(self.server)
        self.idleness = Idleness(self.server)
        self.identity = Identity(self.server)
        self.ledgers = Ledgers(self.server)
        self.activity = Activity(self.server, self.ledgers)
        self.log = Log(self.server)
        self.numbers = Numbers(self.server)
        self.packing = Packing(self.server)
        self.pauses = Pauses(self.server)
        self.prekey_secret = Secret(self.server, SEALS)
        self.processes = Processes(self.server)
        self.profiles = Profiles(self.server)
        self.pace = Pace.from_settings(self.server, settings)
        self.readers = Readers(self.server)
        self.receipts = Receipts(self.server)
        self.runs = Runs(self.server, settings.lease_seconds)
        self.schema = Schema(self.server)
        self.quarantine = Quarantine(self.server)
        self.subscriptions = Subscriptions(self.server, self.profiles, self.numbers, self.quarantine)
        self.storms = Storms(self.pace, self.numbers, self.quarantine, self.subscriptions)
        self.token_secret = TokenSecret(self.server)
        self.topics = Topics(self.server)
        self.warnings = Warnings(self.server)
        self.windows = Windows(self.server, self.runs, self.pace, self.ledgers)

    async def __aenter__(self) -> "Store":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()
