"""What people do with an alert before it goes out: edit, submit, approve, reject, send."""

from collections.abc import Callable, Sequence

from tocsin import clock
from tocsin.cautions import Cautions
from tocsin.correcting import check_correctable
from tocsin.domain.alerts import Alert, AlertDraft
from tocsin.domain.approval import Goal, Moment, Step, content_hash, move, state_of
from tocsin.domain.drafts import AlertPatch
from tocsin.domain.errors import Changed, Conflict, Invalid
from tocsin.domain.payload import notification
from tocsin.jobs import WakeUps
from tocsin.settings import Settings
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store


class Drafting:
    def __init__(self, store: Store, wake_ups: WakeUps, settings: Settings, cautions: Cautions) -> None:
        self._store = store
        self._wake_ups = wake_ups
        self._settings = settings
        self._cautions = cautions

    async def edit(
        self, alert_id: str, patch: AlertPatch, person: str, check_version: Callable[[AlertStatus], None]
    ) -> AlertStatus:
        """The alert as it is then; an approval that it had is void.

        `check_version` raises where the caller meant another version. Raises NotFound, Conflict, Invalid, or Changed
        when another call came first.
        """
        seen = await self._store.alerts.get(alert_id)
        check_version(seen)
        draft = patch.applied_to(seen.alert.draft)
        self._cautions.begin(draft)
        alert = seen.alert.model_copy(update={"draft": draft})
        if alert.root and alert.begins_at != seen.alert.begins_at:
            raise Invalid.at("send_at" if draft.send_at else "undo_seconds", "is not for a correction: it goes at once")
        writers = seen.all_writers if person in seen.all_writers else (*seen.all_writers, person)
        goal = move(Moment(seen.state, draft.level, writers), Step.EDIT, person, self._settings.approval_levels)
        return await self._change(seen, alert, goal, writers, None)

    async def take(self, alert_id: str, step: Step, person: str, approved: str | None = None) -> AlertStatus:
        """The alert after this step. `approved` is the content's hash that the person saw, where they say so.

        Raises NotFound, Conflict for a state without this step or another content, Forbidden for an approval of one's
        own words, Invalid where it cannot go out as it is, or Changed when another call came first.
        """
        seen = await self._store.alerts.get(alert_id)
        found = Moment(seen.state, seen.alert.draft.level, seen.all_writers, seen.approved_by)
        goal = move(found, step, person, self._settings.approval_levels)
        if goal is Goal.SAME:
            return seen
        if approved is not None and approved != content_hash(seen.alert.draft):
            raise Conflict("the alert was edited meanwhile; read it again")
        return await self._change(seen, seen.alert, goal, seen.all_writers, person if step is Step.APPROVE else None)

    async def _change(
        self, seen: AlertStatus, alert: Alert, goal: Goal, writers: Sequence[str], approved_by: str | None
    ) -> AlertStatus:
        if goal is Goal.OUT:
            alert = _due(alert)
        if goal is not Goal.REJECTED:
            await self._check(alert)
        chain = await self._store.alerts.chain(alert.chain) if alert.root else []
        if goal is Goal.OUT and alert.root:
            # While it waited, what it corrects may have been retracted, or corrected by somebody else.
            root, newest = await self._store.alerts.get(alert.root), await self._store.alerts.get(chain[-1])
            await check_correctable(self._store, root, newest)
        state = state_of(goal, alert)
        now_ms = clock.milliseconds(clock.now())
        drafts = self._store.drafts
        after = chain[-1] if chain else ""
        if not await drafts.change(seen, alert, state, now_ms, writers=writers, approved_by=approved_by, after=after):
            raise Changed("another call changed the alert meanwhile; read it again")
        if goal is Goal.OUT:
            self._wake_ups.deliver_soon(alert.queue, (alert.begins_at - clock.now()).total_seconds())
        if goal is not Goal.REJECTED:
            await self._cautions.known(alert, await self._store.alerts.chain(alert.chain), changed=True)
        return await self._store.alerts.get(alert.id)

    async def _check(self, alert: Alert) -> None:
        """Raises Invalid for what cannot be sent, or no longer: a topic that is gone, a time that is past."""
        known = await self._store.topics.ids() if alert.root is None else frozenset(alert.draft.topics)
        alert.draft.check(known, self._settings.allowed_link_hosts, clock.now())
        notification(alert)


def _due(alert: Alert) -> Alert:
    """As it goes out: its time counts from now. What waited for its approval past `send_at` goes at once."""
    now = clock.now()
    draft: AlertDraft = alert.draft.model_copy(update={"state": None})
    if draft.send_at is not None and draft.send_at <= now:
        draft = draft.model_copy(update={"send_at": None})
    return alert.model_copy(update={"draft": draft, "queued_at": now})
