"""Every route, on one screen."""

from collections.abc import Mapping

from tocsin.api import (
    drafts,
    editors,
    export,
    failures,
    history,
    ops,
    pages,
    prekeys,
    readers,
    receipts,
    recent,
    registration,
    topics,
)
from tocsin.api.drafts import Approval
from tocsin.api.export import SubscriptionExport
from tocsin.api.history import History
from tocsin.api.models import (
    AlertPage,
    AlertQuery,
    AlertView,
    AlertWithWarnings,
    EstimateView,
    FailureList,
    FailureView,
    KeyList,
    KeyMade,
    NewKey,
    PushServicesView,
    PushServiceView,
    QueuesView,
    QueueView,
    Ready,
    Registered,
    Registration,
    Site,
    SubscriptionView,
    TestPushed,
)
from tocsin.api.prekeys import PrekeysView
from tocsin.api.receipts import Receipt
from tocsin.api.recent import RecentAlerts, RecentQuery
from tocsin.api.route import Route
from tocsin.api.topics import TopicChange, TopicList
from tocsin.domain.alerts import AlertDraft, Correction, Retraction
from tocsin.domain.drafts import AlertPatch
from tocsin.domain.preferences import PreferencesPatch
from tocsin.domain.roles import Role
from tocsin.domain.topics import Topic
from tocsin.web.assets import ASSET_HEADERS, SDK_HEADERS

# A test push waits for the push service; everything else only for the store.
PUSH_SECONDS = 65.0
# Every shard is looked at.
ESTIMATE_SECONDS = 30.0
# Bringing back or deleting a whole quarantine: one after another, and each on disk.
QUARANTINE_SECONDS = 120.0

SUBSCRIPTION = "/v1/subscriptions/{id}"
ALERT = "/v1/alerts/{id}"
QUEUE = "/v1/ops/queues/{queue}"
PUSH_SERVICE = "/v1/ops/push-services/{push_service}"
TOPIC = "/v1/topics/{id}"


def _page(
    path: str, handler: pages.Handler, summary: str, readers: bool = False, headers: Mapping[str, str] = ASSET_HEADERS
) -> Route:
    cache = headers["Cache-Control"]
    return Route("GET", path, handler, summary, "pages", {200: None}, cache=cache, readers=readers)


# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/site", readers.site, "What the site offers", "readers",
          {200: Site, 304: None}, readers=True, cache=readers.SITE_CACHE),
    Route("POST", "/v1/subscriptions", registration.register, "Register a browser", "readers",
          {200: Registered, 201: Registered}, body=Registration, readers=True, problems=(410,)),
    Route("GET", SUBSCRIPTION, readers.read, "Read a subscription", "readers",
          {200: SubscriptionView}, readers=True, token=True),
    Route("PATCH", f"{SUBSCRIPTION}/preferences", readers.change_preferences, "Change preferences (merge patch)",
          "readers", {200: SubscriptionView}, body=PreferencesPatch, readers=True, token=True),
    Route("GET", f"{SUBSCRIPTION}/history", history.history, "What became of recent alerts here, and why", "readers",
          {200: History}, readers=True, token=True),
    Route("DELETE", SUBSCRIPTION, readers.delete, "Unsubscribe", "readers", {204: None}, readers=True, token=True),
    Route("POST", f"{SUBSCRIPTION}/test", readers.push_test, "A push to this browser alone", "readers",
          {200: TestPushed}, readers=True, token=True, problems=(502,), seconds=PUSH_SECONDS),
    Route("GET", f"{SUBSCRIPTION}/export", export.export_subscription, "Everything held on this browser", "readers",
          {200: SubscriptionExport}, readers=True, token=True),
    Route("POST", "/v1/receipts", receipts.take_receipt, "What became of a notification on a screen", "readers",
          {204: None}, body=Receipt, readers=True, beacon=True, problems=(404,)),
    Route("GET", "/v1/alerts/recent", recent.recent_alerts, "What was sent lately", "readers",
          {200: RecentAlerts, 304: None}, query=RecentQuery, readers=True, cache=recent.CACHE),

    Route("POST", "/v1/alerts", editors.queue_alert, "Queue an alert", "editors",
          {201: AlertWithWarnings, 202: AlertWithWarnings}, role=Role.EDITOR, drafts=True, body=AlertDraft,
          idempotent=True),
    Route("GET", "/v1/alerts", editors.list_alerts, "Alerts, newest first", "editors",
          {200: AlertPage}, role=Role.EDITOR, query=AlertQuery),
    Route("GET", ALERT, editors.read_alert, "An alert and its progress", "editors",
          {200: AlertWithWarnings}, role=Role.EDITOR),
    Route("PATCH", ALERT, drafts.change_alert, "Change an alert before it is sent (merge patch)", "editors",
          {200: AlertWithWarnings}, role=Role.EDITOR, body=AlertPatch, if_match="required"),
    Route("POST", f"{ALERT}/submit", drafts.submit_alert, "Ask for approval", "editors",
          {200: AlertWithWarnings}, role=Role.EDITOR, problems=(422,)),
    Route("POST", f"{ALERT}/approve", drafts.approve_alert, "Approve an alert; it goes out", "editors",
          {200: AlertWithWarnings}, role=Role.EDITOR, body=Approval),
    Route("POST", f"{ALERT}/reject", drafts.reject_alert, "Reject an alert", "editors",
          {200: AlertWithWarnings}, role=Role.EDITOR),
    Route("POST", f"{ALERT}/send", drafts.send_alert, "Send a draft; where its level needs it, ask for approval",
          "editors", {200: AlertWithWarnings}, role=Role.EDITOR, problems=(422,)),
    Route("POST", "/v1/alerts/estimate", editors.estimate_alert, "Who would get an alert now, and who not", "editors",
          {200: EstimateView}, role=Role.EDITOR, body=AlertDraft, seconds=ESTIMATE_SECONDS),
    Route("POST", f"{ALERT}/correction", editors.correct_alert, "Correct an alert for those who had it", "editors",
          {202: AlertWithWarnings}, role=Role.EDITOR, body=Correction),
    Route("POST", f"{ALERT}/retraction", editors.retract_alert, "Retract an alert", "editors",
          {202: AlertWithWarnings}, role=Role.EDITOR, body=Retraction),
    Route("POST", f"{ALERT}/stop", editors.stop_alert, "Stop an alert", "editors", {200: AlertView}, role=Role.EDITOR),

    Route("GET", "/v1/topics", topics.list_topics, "Topics, in the readers' order", "editors",
          {200: TopicList}, role=Role.EDITOR),
    Route("GET", TOPIC, topics.read_topic, "A topic", "editors", {200: Topic}, role=Role.EDITOR),
    Route("PUT", TOPIC, topics.put_topic, "Make or change a topic", "editors",
          {200: Topic, 201: Topic}, role=Role.EDITOR, body=TopicChange, if_match="optional", problems=(409,)),
    Route("DELETE", TOPIC, topics.delete_topic, "Delete a topic; who follows it keeps its other ones", "editors",
          {204: None}, role=Role.EDITOR, if_match="optional", problems=(409,)),

    Route("GET", "/v1/keys", editors.list_keys, "API keys", "admin", {200: KeyList}, role=Role.ADMIN),
    Route("POST", "/v1/keys", editors.make_key, "Make an API key", "admin",
          {201: KeyMade}, role=Role.ADMIN, body=NewKey),
    Route("DELETE", "/v1/keys/{id}", editors.delete_key, "Delete an API key", "admin", {204: None}, role=Role.ADMIN),

    Route("GET", "/livez", ops.livez, "Alive; asks no store", "ops", {200: None}),
    Route("GET", "/readyz", ops.readyz, "Ready to take alerts", "ops", {200: Ready, 503: Ready}),
    Route("GET", "/metrics", ops.metrics, "Prometheus metrics", "ops", {200: None}, role=Role.OPS, local=True),
    Route("GET", "/v1/ops/queues", ops.queues, "Depth and age of the queues", "ops", {200: QueuesView}, role=Role.OPS),
    Route("GET", "/v1/ops/push-services", ops.push_services, "What the push services answer", "ops",
          {200: PushServicesView}, role=Role.OPS),
    Route("GET", "/v1/ops/prekeys", prekeys.prekeys, "The stock of message keys made ahead", "ops",
          {200: PrekeysView}, role=Role.OPS),
    Route("GET", "/v1/ops/failures", failures.list_failures, "Recipients that were set aside", "ops",
          {200: FailureList}, role=Role.OPS),
    Route("POST", "/v1/ops/failures/{id}/replay", failures.replay, "Try a recipient again", "ops",
          {202: FailureView}, role=Role.OPS),
    Route("POST", f"{QUEUE}/pause", ops.pause_queue, "Pause a queue: nothing is sent from it", "ops",
          {200: QueueView}, role=Role.OPS),
    Route("POST", f"{QUEUE}/resume", ops.resume_queue, "Let a queue go on", "ops", {200: QueueView}, role=Role.OPS),
    Route("POST", f"{PUSH_SERVICE}/resume", ops.resume_push_service, "Let a stopped push service go on", "ops",
          {200: PushServiceView}, role=Role.OPS),
    Route("POST", f"{PUSH_SERVICE}/restore", ops.restore_quarantined, "Bring back those in quarantine", "ops",
          {200: PushServiceView}, role=Role.OPS, seconds=QUARANTINE_SECONDS),
    Route("POST", f"{PUSH_SERVICE}/confirm", ops.confirm_gone, "Delete those in quarantine for good", "ops",
          {200: PushServiceView}, role=Role.OPS, seconds=QUARANTINE_SECONDS),

    _page("/", pages.page("reader.html"), "The readers' page"),
    _page("/preferences", pages.page("preferences.html"), "A reader's choices, history and data"),
    _page("/console", pages.page("console.html"), "The editors' page"),
    _page("/ops", pages.page("ops.html"), "The operators' page"),
    _page("/sw.js", pages.service_worker, "The service worker", readers=True),
    _page("/tocsin.js", pages.root_asset("tocsin.js"), "The SDK", readers=True, headers=SDK_HEADERS),
    _page("/tocsin-data.js", pages.root_asset("tocsin-data.js"), "The SDK's part for data", readers=True),
    _page("/tocsin-quiet.js", pages.root_asset("tocsin-quiet.js"), "The SDK's part for quiet hours", readers=True),
    _page("/tocsin.d.ts", pages.root_asset("tocsin.d.ts"), "The SDK's types", readers=True),
    _page("/manifest.webmanifest", pages.manifest, "The web app manifest"),
    _page("/assets/{name}", pages.asset, "What the pages need", readers=True),
    _page("/openapi.json", pages.openapi, "The OpenAPI document"),
    _page("/docs", pages.docs, "The OpenAPI document, to read"),
    _page("/docs/{name}", pages.docs_asset, "What that page needs"),
)
# fmt: on
