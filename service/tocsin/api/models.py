"""The bodies of requests and answers that no other layer knows."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tocsin.domain.alerts import Action, AlertState, Kind
from tocsin.domain.consent import MAX_VERSION
from tocsin.domain.languages import SiteLanguage
from tocsin.domain.levels import Level
from tocsin.domain.pace import Breaker
from tocsin.domain.preferences import Preferences, PreferencesPatch
from tocsin.domain.receipts import Keeping
from tocsin.domain.roles import Role
from tocsin.domain.subscriptions import PushSubscription
from tocsin.domain.text import text_fault
from tocsin.domain.topics import Topic


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Replaces(Strict):
    """A subscription that this browser has no more."""

    id: str = Field(max_length=40)
    token: str = Field(max_length=100)


class ConsentGiven(Strict):
    text_version: str = Field(max_length=MAX_VERSION)


class Registration(Strict):
    subscription: PushSubscription
    preferences: PreferencesPatch = Field(default_factory=PreferencesPatch)
    replaces: Replaces | None = Field(
        default=None,
        description="carries everything over from the subscription that this browser had before, and ends that one; "
        "`preferences` change what is carried. One that is unknown (any more) makes it a new subscription",
    )
    application_server_key: str | None = Field(
        default=None,
        max_length=100,
        description="the key that the browser subscribed with (`options.applicationServerKey`, base64url), where that "
        "may be another than the present one of `/v1/site`",
    )
    consent: ConsentGiven | None = Field(
        default=None, description="to the text of `/v1/site`; null takes back what was given, absent changes nothing"
    )


class Registered(Strict):
    id: str
    token: str
    preferences: Preferences


class ConsentView(Strict):
    text_version: str
    given_at: datetime


class SubscriptionView(Strict):
    id: str
    push_service: str
    created_at: datetime
    preferences: Preferences
    consent: ConsentView | None


class Limits(Strict):
    headline: int
    body: int
    topics: int
    stories: int = Field(description="followed, and as many muted, in the preferences of one browser")
    body_bytes: int = Field(description="of a call")


class SiteTopic(Topic):
    per_day: dict[Level, float] | None = Field(
        description="alerts of exactly that level, mean per day of the last 30 days (or since the first alert); "
        "null for a site younger than a week",
        examples=[{"flash": 0.03, "breaking": 1.2, "update": 3.0}],
    )


class ConsentText(Strict):
    text_version: str
    text: str


class Site(Strict):
    name: str
    language: SiteLanguage = Field(description="of the site's own pages and words")
    languages: tuple[str, ...] = Field(
        description="that alerts of the last 30 days were marked with, primary subtags", examples=[["ar", "en"]]
    )
    time_zone: str = Field(description="of readers who named none", examples=["Europe/London"])
    application_server_key: str
    application_server_keys: tuple[str, ...] = Field(
        description="all in force, the present one first: a browser that subscribed with any of them is this site's"
    )
    topics: tuple[SiteTopic, ...]
    levels: tuple[Level, ...]
    default_preferences: Preferences
    limits: Limits
    receipts: Keeping = Field(description="what is kept of what browsers tell of notifications")
    consent: ConsentText | None = Field(description="what readers are asked to agree to; null where nothing is asked")
    privacy_url: str | None = Field(description="the newsroom's privacy policy")


class TestPushed(Strict):
    """`accepted` is the push service's word; it does not say that anything was shown."""

    accepted: bool
    push_service: str
    status: int


class WarningView(Strict):
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. `errors` names each field at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] | None = None


class Counts(Strict):
    """`eligible` is at every moment the sum of those after it."""

    eligible: int
    accepted: int
    gone: int
    rejected: int
    expired: int
    stopped: int
    opted_out: int
    set_aside: int
    deferred: int
    retrying: int
    pending: int
    unaccounted: int


class ReceiptCounts(Strict):
    """What browsers told; nobody can prove it, and a busy service turns receipts away first: at least so many, if all
    browsers speak the truth."""

    shown: int
    clicked: int
    closed: int


class ProgressView(Counts):
    skipped: dict[str, int]
    by_push_service: dict[str, Counts]
    first_at: datetime | None
    p50_seconds: float | None
    p90_seconds: float | None
    p99_seconds: float | None
    within_120_s: int = Field(description="how many were accepted within 120 s of the 202")
    receipts: ReceiptCounts


class AlertView(Strict):
    id: str
    state: AlertState
    headline: str
    body: str
    url: str
    topics: list[str]
    level: Level
    image: str | None
    icon: str | None
    actions: list[Action]
    language: str | None
    story: str | None
    ttl: int
    expires_at: datetime | None
    send_at: datetime | None
    max_per_second: int | None
    undo_seconds: int
    kind: Kind
    corrects: str | None = Field(description="the first alert of the chain that this one corrects or retracts")
    corrected_by: str | None = Field(description="the newest alert that stands in the place of this one")
    author: str
    approved_by: str | None
    content_hash: str = Field(description="what an approval is bound to: words, audience and times")
    created_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    progress: ProgressView


class AlertWithWarnings(AlertView):
    warnings: list[WarningView] = Field(description="never a reason to wait; one on the link may come later")


class ExpectedView(Strict):
    """`audience` is the sum of all that follow it."""

    audience: int
    now: int
    deferred: int
    skipped: dict[str, int]


class EstimateView(ExpectedView):
    by_push_service: dict[str, ExpectedView]
    bytes: int = Field(description="of the payload; 2,700 at most")
    seconds: float = Field(description="how long its requests take at best")
    warnings: list[WarningView]


class FailureView(Strict):
    """One recipient of one alert that was set aside."""

    id: str
    alert: str
    push_service: str
    subscription: str | None = Field(description="null where it is not there any more, or cannot be read")
    reason: str
    at: datetime


class FailureList(Strict):
    failures: list[FailureView]


class AlertPage(Strict):
    alerts: list[AlertView]
    next: str | None = Field(
        description="give it as `cursor` for the next page; null on the last. With `q` or `state` a page is what is "
        "found among 1,000 alerts, so it may be short, or empty, and have a next one"
    )


class AlertQuery(Strict):
    cursor: str | None = Field(default=None, max_length=40)
    state: AlertState | None = None
    q: str = Field(default="", max_length=120, description="words in headline or body")
    limit: int = Field(default=20, ge=1, le=100)


def readable(text: str) -> str:
    """Names are shown in terminals and on pages; how long they may be says their field."""
    if text and (message := text_fault(text, 1, len(text))):
        raise ValueError(message)
    return text


class NewKey(Strict):
    name: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(readable)]
    roles: list[Role] = Field(min_length=1, max_length=len(Role))


class KeyMade(Strict):
    id: str
    key: str = Field(description="shown this once")


class KeyView(Strict):
    id: str
    name: str
    roles: list[Role]
    created_at: datetime


class KeyList(Strict):
    keys: list[KeyView]


class QueueView(Strict):
    queue: str
    waiting: int = Field(description="shards of up to 1,000 readers that wait; for maintenance, jobs")
    in_work: int
    oldest_age_seconds: float | None
    throughput_per_second: float
    wake_ups: int | None = Field(description="messages at the broker; null where it does not answer")
    paused: bool


class QueuesView(Strict):
    queues: list[QueueView]
    unaccounted: int


class Latency(Strict):
    p50: float
    p99: float


class PushServiceView(Strict):
    push_service: str
    subscriptions: int
    quarantined: int = Field(description="called gone, sent nothing, and not deleted yet")
    answers: dict[str, int]
    statuses: dict[str, int]
    breaker: Breaker = Field(description="half_open: one request at a time finds out whether it is back")
    held_until: datetime | None = Field(description="nothing is sent before, for whatever reason")
    retry_after_until: datetime | None = Field(description="when the push service itself asked to come back")
    pace_per_second: float | None = Field(description="null where there is no limit, or nothing was sent lately")
    stopped: str | None = Field(description="why nothing is sent until it is resumed: vapid_refused")
    storm_since: datetime | None = Field(description="meanwhile nobody in quarantine is deleted")
    latency_ms: Latency | None


class PushServicesView(Strict):
    push_services: list[PushServiceView]


class Ready(Strict):
    ready: bool
    checks: dict[str, str]
