"""Every setting, in one class: environment variables with the prefix TOCSIN_, or `tocsin.toml`."""

import hashlib
import os
import tempfile
import tomllib
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tocsin.domain.endpoints import DEFAULT_PUSH_HOSTS
from tocsin.domain.errors import Misconfigured
from tocsin.domain.languages import SiteLanguage
from tocsin.domain.levels import Level
from tocsin.domain.notices import Notices
from tocsin.domain.receipts import Keeping
from tocsin.setting_types import (
    BasePath,
    Connections,
    ConsentVersion,
    Hosts,
    Levels,
    Networks,
    NoticeTexts,
    Origins,
    PrivacyUrl,
    PublicUrl,
    Rate,
    ReaderUrl,
    ServerUrl,
    TimeZone,
    TopicList,
    VapidSubject,
)

TOML_FILE = "tocsin.toml"
PREFIX = "TOCSIN_"

# Before each window a lease is renewed where less than this share of it is left.
LEASE_LEFT = 2 / 3


class SenderKind(StrEnum):
    HTTP2 = "http2"
    CURL = "curl"


class Settings(BaseSettings):
    """A list is comma-separated in the environment and a list in the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file=TOML_FILE, extra="forbid", frozen=True)

    store_url: ServerUrl = Field(
        "", description="The truth: alerts, subscriptions, ledgers. Empty: the embedded server."
    )
    broker_url: ServerUrl = Field("", description="Celery's; may be wiped at any time. Empty: the embedded server.")
    prekey_url: ServerUrl = Field("", description="Keys computed ahead; never persistent. Empty: the embedded server.")
    data_dir: Path = Field(Path("data"), description="Keys, certificates and the embedded store's files.")
    host: str = Field("127.0.0.1", description="The address that the API listens on.")
    port: int = Field(8080, ge=0, le=65_535, description="The port that the API listens on.")
    public_url: PublicUrl = Field(
        "", description="Where readers reach us: scheme and host, no path. Empty: http://localhost and PORT."
    )
    base_path: BasePath = Field("", description="A path under which everything lives, such as /alerts.")
    site_name: str = Field("Tocsin", min_length=1, max_length=60, description="The newsroom's name, for readers.")
    language: SiteLanguage = Field(SiteLanguage.ENGLISH, description="Of the readers' pages: en or ar (right to left).")
    texts: NoticeTexts = Field(
        {}, description="Your own words in notifications, by language and key: [texts.en] in the file, else JSON."
    )
    reader_url: ReaderUrl = Field(
        "", description="Your own page with a reader's choices, where notices of ours lead. Empty: Tocsin's own page."
    )
    privacy_url: PrivacyUrl = Field("", description="Your privacy policy (https), linked where readers subscribe.")
    trusted_proxies: Networks = Field((), description="Addresses or networks that may set X-Forwarded-For.")
    allowed_origins: Origins = Field((), description="Sites whose pages may call the readers' API.")
    allowed_link_hosts: Hosts = Field(
        (), description="Hosts that alerts may link to; a leading dot adds subdomains. Empty: any https host."
    )
    link_check: bool = Field(
        True, description="Open an alert's link and warn where it is not there; off where nothing may go out."
    )
    allowed_push_hosts: Hosts = Field(
        DEFAULT_PUSH_HOSTS, description="Push services that we send to; a leading dot adds subdomains."
    )
    vapid_private_key_file: Path | None = Field(
        None, description="PEM of the application server's key, made on first start. Default: DATA_DIR/vapid.pem."
    )
    vapid_subject: VapidSubject = Field(
        "mailto:alerts@example.com", description="Whom a push service writes to: mailto: or https:, not local."
    )
    push_ca_file: Path | None = Field(None, description="Certificates to trust beside the system's roots.")
    push_connect_to: Connections = Field(
        (), description="host:port:host:port as curl's --connect-to, for the simulator and tests."
    )
    topics: TopicList = Field(
        "world:World,politics:Politics,business:Business,sport:Sport,culture:Culture",
        description="id:name list, for the first start only; later by `tocsin topics`.",
    )
    time_zone: TimeZone = Field("UTC", description="The site's IANA time zone.")
    subscribe_rate: Rate = Field("10/minute", description="New subscriptions an address; off: no limit.")
    alert_rate: Rate = Field("6/minute", description="New alerts a person; off: no limit.")
    approval: Levels = Field((), description="Levels at which a second person approves each alert; none if empty.")
    window: int = Field(
        100, ge=1, le=1_000, description="Most requests in flight or not yet recorded, in one worker process."
    )
    lease_seconds: float = Field(
        30.0, ge=1, le=300, description="How long a worker may hold a shard unrenewed. Change it while no worker runs."
    )
    request_seconds: float = Field(10.0, ge=0.5, le=60, description="Most seconds for one request to a push service.")
    sender: SenderKind = Field(
        SenderKind.HTTP2,
        description="http2: Tocsin's own HTTP/2, and libcurl where a push service has another; curl: libcurl alone.",
    )
    reconcile_seconds: float = Field(2.0, ge=0.2, le=60, description="How often the reconciler looks for what is due.")
    retry_seconds: float = Field(2.0, gt=0, le=300, description="First back-off; doubles each time, with full jitter.")
    quarantine_seconds: float = Field(
        300.0, ge=1, le=86_400, description="How long a subscription that was called gone is kept, against storms."
    )
    max_per_second: int | None = Field(
        None, ge=1, description="Most requests a second, over all push services and alerts. Unset: no limit of ours."
    )
    start_per_second: int = Field(
        2_000,
        ge=10,
        le=100_000,
        description="Requests a second with which a push service is begun after a minute's rest; then it doubles.",
    )
    breaker_seconds: float = Field(
        1.0, ge=0.1, le=30, description="First pause for a push service that is down; doubles up to 10 s, then a probe."
    )
    worker_processes: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) // 2),
        ge=1,
        le=64,
        description="Processes of each worker that sends. Default: half of the cores, since two workers send.",
    )
    prekeys: int = Field(
        1, ge=0, le=8, description="Message keys made ahead for each subscription while no alert is sent; 0: none."
    )
    receipts: Keeping = Field(
        Keeping.AGGREGATE,
        description="What is kept of what browsers tell of notifications: off, aggregate (counts) or individual.",
    )
    receipt_rate: float = Field(
        1.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The share of browsers that are asked for receipts of an alert; 0: none.",
    )
    consent_text: str = Field(
        "", max_length=2_000, description="What readers agree to; needed by RECEIPTS=individual. Empty: nothing is."
    )
    consent_text_version: ConsentVersion = Field(
        "", description="The version of CONSENT_TEXT, kept with each consent. Another one asks readers again."
    )
    inactive_days: int = Field(
        180,
        ge=0,
        le=3_650,
        description="Forget browsers that alerts did not reach for so long, and that did not call meanwhile; 0: never.",
    )
    erase_hours: float = Field(
        12.0, gt=0, le=23, description="What was erased leaves the store's append-only file within so long."
    )
    admin_key: SecretStr | None = Field(
        None, min_length=32, description="An API key with every role, for provisioning; then no other is made."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @cached_property
    def approval_levels(self) -> frozenset[Level]:
        return frozenset(map(Level, self.approval))

    @cached_property
    def receipts_asked(self) -> float:
        """The share of browsers that are to send receipts, 0 where none are kept."""
        return 0.0 if self.receipts is Keeping.OFF else self.receipt_rate

    @cached_property
    def vapid_file(self) -> Path:
        return self.vapid_private_key_file or self.data_dir / "vapid.pem"

    @cached_property
    def socket_dir(self) -> Path:
        """Where the embedded servers listen. The kernel takes 107 characters at most, so a long path is replaced."""
        wanted = self.data_dir.resolve() / "run"
        if len(str(wanted)) <= 90:
            return wanted
        digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tocsin-{os.getuid()}-{digest}"

    @cached_property
    def store(self) -> str:
        return self.store_url or f"unix://{self.socket_dir}/store.sock"

    @cached_property
    def broker(self) -> str:
        return self.broker_url or f"unix://{self.socket_dir}/cache.sock?db=0"

    @cached_property
    def prekey_server(self) -> str:
        return self.prekey_url or f"unix://{self.socket_dir}/cache.sock?db=1"

    @model_validator(mode="after")
    def _requests_fit_the_lease(self) -> Self:
        # Of the two thirds that are left before a window, some goes into making it ready and writing it down.
        if self.request_seconds > self.lease_seconds / 2:
            raise ValueError("REQUEST_SECONDS must be at most half of LEASE_SECONDS: no request may outlive it")
        return self

    @model_validator(mode="after")
    def _consent_is_whole(self) -> Self:
        if bool(self.consent_text.strip()) != bool(self.consent_text_version):
            raise ValueError("CONSENT_TEXT and CONSENT_TEXT_VERSION go together: set both, or neither")
        if self.receipts is Keeping.INDIVIDUAL and not self.consent_text_version:
            raise ValueError("RECEIPTS=individual needs CONSENT_TEXT and CONSENT_TEXT_VERSION: readers agree first")
        return self

    @cached_property
    def origin(self) -> str:
        return self.public_url or f"http://localhost:{self.port}"

    @cached_property
    def url(self) -> str:
        """Where readers reach us, with the path."""
        return self.origin + self.base_path

    @cached_property
    def readers_page(self) -> str:
        """Where a click leads on what is no alert."""
        return self.reader_url or f"{self.url}/"

    @cached_property
    def elsewhere(self) -> str:
        """The page on which readers subscribe, where it is none of ours."""
        return "" if self.reader_url.startswith(f"{self.url}/") else self.reader_url

    @cached_property
    def notices(self) -> Notices:
        return Notices(self.language, self.texts)


def source(name: str) -> str:
    """Where the value of a setting comes from; the environment goes before the file."""
    if any(key.upper() == PREFIX + name.upper() for key in os.environ):
        return "environment"
    if Path(TOML_FILE).exists() and name in tomllib.loads(Path(TOML_FILE).read_text("utf-8")):
        return TOML_FILE
    return "default"


def named(name: str) -> str:
    """A setting as the one wrote it who gave it: `TOCSIN_PORT`, or `port in tocsin.toml`."""
    return f"{name} in {TOML_FILE}" if source(name) == TOML_FILE else PREFIX + name.upper()


def load(**overrides: Any) -> Settings:
    """The settings in force. Raises Misconfigured with each setting at fault, by the name a person gave it."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise Misconfigured("; ".join(map(_told, error.errors()))) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{TOML_FILE} is not TOML in UTF-8: {error}") from None


def _told(fault: ErrorDetails) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "there is no such setting"
    return f"{named(str(fault['loc'][0]))}: {message}" if fault["loc"] else message
