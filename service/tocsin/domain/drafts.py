"""Changes to an alert before it is sent: a merge patch (RFC 7396) of what was asked."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.domain.alerts import MAX_TTL, MAX_UNDO, Action, AlertDraft
from tocsin.domain.errors import Fault, Invalid
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Language
from tocsin.domain.stories import StoryId
from tocsin.domain.topics import TopicId

NEEDED = ("headline", "url", "topics", "level")


class AlertPatch(BaseModel):
    """What is absent stays, what is null goes back to its default. The fields are those of `AlertDraft`, but `state`:
    that is moved by submitting, approving, rejecting and sending."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headline: str | None = None
    body: str | None = None
    url: str | None = None
    topics: Annotated[list[TopicId], Field(min_length=1, max_length=20)] | None = None
    level: Level | None = None
    image: str | None = None
    icon: str | None = None
    actions: Annotated[list[Action], Field(max_length=2)] | None = None
    language: Language | None = None
    story: StoryId | None = None
    ttl: Annotated[int, Field(ge=0, le=MAX_TTL, strict=True)] | None = None
    expires_at: AwareDatetime | None = None
    send_at: AwareDatetime | None = None
    max_per_second: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    undo_seconds: Annotated[int, Field(ge=0, le=MAX_UNDO, strict=True)] | None = None

    def applied_to(self, draft: AlertDraft) -> AlertDraft:
        """Raises Invalid where what an alert needs is taken away; the rest is for `AlertDraft.check`."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if faults := [Fault(name, "is needed") for name in NEEDED if given.get(name, "") is None]:
            raise Invalid(faults)
        nulls = {name for name, value in given.items() if value is None}
        defaults = {name: AlertDraft.model_fields[name].get_default(call_default_factory=True) for name in nulls}
        return draft.model_copy(update={**given, **defaults})
