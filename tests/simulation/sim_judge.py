"""What each reader should have got, alert by alert, from the contract alone; compared with what each really got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sim_news import END, SITE_ZONE, News
from sim_push import Got, Notice
from sim_verdicts import Verdicts, asked_again, uncapped
from sim_world import Version

import oracle
from crowd import Wants

# What waited for the end of the quiet hours is there within a minute of it.
MINUTE = timedelta(minutes=1)
STOP = timedelta(seconds=2)
# A window that began before a change may still be on its way.
IN_HAND = timedelta(seconds=2)
TICK = timedelta(milliseconds=50)


@dataclass
class Waiting:
    """`surely` is False where the reader changed its mind while the alert was being sent."""

    news: News
    surely: bool


class Judge:
    """One reader's week."""

    def __init__(
        self,
        reader: int,
        versions: Sequence[Version],
        got: Sequence[tuple[Got, Notice]],
        by_id: dict[str, News],
    ) -> None:
        self._reader = reader
        self._versions = versions
        self._turns = [datetime.fromtimestamp(each.turn, UTC) for each, _ in got]
        self._got = [(datetime.fromtimestamp(each.when, UTC), notice) for each, notice in got]
        self._by_id = by_id
        self._seen: set[int] = set()
        self._had: set[str] = set()
        self._told: dict[int, bool] = {}  # chains that the reader was told of
        self._waiting: dict[int, Waiting] = {}
        self._wakes: datetime | None = None
        self._day: date | None = None
        self._count = 0
        self.verdicts = Verdicts()

    def judge(self, news: Sequence[News], end: datetime) -> Verdicts:
        happens: list[tuple[datetime, News | Version]] = [(each.begun, each) for each in news if each.begun < END]
        happens += [(version.kept, version) for version in self._versions[1:]]
        for at, what in sorted(happens, key=lambda pair: pair[0]):
            self._wake_until(at)
            if isinstance(what, News):
                self._begin(what)
            else:
                self._change(what)
        self._wake_until(end)
        for place, (when, notice) in enumerate(self._got):
            sentence = f"reader {self._reader} at {when:%a %H:%M:%S} {notice.title!r}"
            if place not in self._seen:
                self.verdicts.fault("doubled" if set(notice.alerts) <= self._had else "against", sentence)
            elif not all(self._stood(self._by_id[name], self._turns[place], when) for name in notice.alerts):
                self.verdicts.fault("against", f"{sentence}, by what was wanted at that moment")
        self.verdicts.counts["sent"] += len(self._got)
        return self.verdicts

    # -- what the reader wanted

    def _wanted(self, first: datetime, last: datetime) -> list[Wants | None]:
        """All that may have stood at any moment between these."""
        found: list[Wants | None] = []
        for version, after in zip(self._versions, [*self._versions[1:], None], strict=True):
            if version.asked <= last and (after is None or after.kept > first):
                found.append(version.wants)
        return found or [None]

    def _stood(self, news: News, turn: datetime, when: datetime) -> bool:
        """Whether preferences that stood when this reader's turn came asked for it; caps are counted apart."""
        return any(uncapped(news, wants, when).verdict == "send" for wants in self._wanted(turn, when))

    def _change(self, version: Version) -> None:
        place = self._versions.index(version)
        before = self._versions[place - 1].wants
        if before is None or version.wants is None:
            return
        quiet = ("quiet_hours", "time_zone")
        if before.get("quiet_hours") and [before.get(name) for name in quiet] != [
            version.wants.get(name) for name in quiet
        ]:
            self._wake(version.kept)

    # -- what happens

    def _begin(self, news: News) -> None:
        chain = id(news.chain)
        if news.root is not None and not self._is_told(news):
            return
        answers = {
            oracle.Answer("outside")
            if wants is None
            else oracle.answer(news.as_asked, wants, news.begun, SITE_ZONE, self._had_today(news, wants))
            for wants in self._wanted(news.begun - IN_HAND, news.ended)
        }
        verdicts = {answer.verdict for answer in answers}
        before = self._waiting.pop(chain, None) if news.root is not None else None
        if self._found(news) and ("send" in verdicts or self._is_raced(news)):
            self._take([Waiting(news, True)], news.begun, news.ended + MINUTE)
            return
        if "send" in verdicts:
            surely = verdicts == {"send"} and not self._is_raced(news) and (before is None or before.surely)
            if surely and self._told.get(chain, True) and not self._may_have_found_no_room(news):
                self._miss(news, news.begun)
        if "defer" in verdicts:
            self._waiting[chain] = Waiting(news, verdicts == {"defer"} and (before is None or before.surely))
            until = min(answer.until for answer in answers if answer.until)
            self._wakes = min(filter(None, (self._wakes, until)))

    def _is_told(self, news: News) -> bool:
        """Whether the reader had anything of the chain, or waits for the latest of it."""
        chain = id(news.chain)
        if chain in self._told or chain in self._waiting:
            return True
        # Sent while the original was on its way: whoever would have got that gets this instead.
        return news.in_flight and self._found(news)

    def _is_raced(self, news: News) -> bool:
        """Whether something may have come between an alert's beginning and this reader's turn."""
        if any(each.in_flight for each in news.follow_ups):
            return True
        return news.stopped is not None and news.stopped <= news.ended + STOP

    def _may_have_found_no_room(self, news: News) -> bool:
        """Of two at once the other may have had the last room under the cap, and not have been wanted any more when
        its turn came: the reader changed its mind between."""
        versions = self._wanted(news.begun - IN_HAND, news.ended)
        is_torn = news.together_with is not None and len(versions) > 1
        return is_torn and any(wants and wants.get("daily_cap") for wants in versions)

    def _had_today(self, news: News, wants: Wants) -> int:
        if not wants.get("daily_cap"):
            return 0
        count = self._count if self._day == oracle.own_day(wants, news.begun, SITE_ZONE) else 0
        other = news.together_with
        if other is not None and other.id not in self._had and self._found(other) and not self._found(news):
            count += oracle.counts(other.as_asked, wants)  # of two at once the other one may have been first
        return count

    def _wake_until(self, moment: datetime) -> None:
        while self._wakes is not None and self._wakes <= moment:
            self._wake(self._wakes)

    def _wake(self, at: datetime) -> None:
        """The quiet hours are over, or other ones: all that waits is asked again."""
        self._wakes = None
        waiting, self._waiting = self._waiting, {}
        versions = self._wanted(at, at + MINUTE)
        ready: list[Waiting] = []
        again: list[datetime] = []
        for chain, each in waiting.items():
            news = each.news
            if (news.stopped is not None and news.stopped <= at) or news.expires <= at:
                continue
            answers = {asked_again(news, wants, at) for wants in versions}
            surely = each.surely and len(answers) == 1
            verdicts = {answer.verdict for answer in answers}
            if "send" in verdicts:
                ready.append(Waiting(news, surely))
            if "defer" in verdicts:
                self._waiting[chain] = Waiting(news, surely)
                again += [answer.until for answer in answers if answer.until]
        if again:
            self._wakes = min(again)
        ready = self._under_cap(ready, versions, at)
        # What corrects a text that the reader has seen comes by itself, in the place of that text.
        alone = [each for each in ready if each.news.root is not None and id(each.news.chain) in self._told]
        for part in ([[each] for each in alone], [[each for each in ready if each not in alone]]):
            for wanted in filter(None, part):
                self._take(wanted, at, at + MINUTE)

    def _under_cap(self, ready: list[Waiting], versions: Sequence[Wants | None], at: datetime) -> list[Waiting]:
        """Without those for which the own day has no room."""
        [wants, *others] = versions
        if others:  # which of them was asked about the cap?
            return [Waiting(each.news, False) for each in ready]
        if wants is None or not wants.get("daily_cap"):
            return ready
        count = self._count if self._day == oracle.own_day(wants, at, SITE_ZONE) else 0
        if count < wants["daily_cap"]["count"]:
            return ready
        return [each for each in ready if not oracle.counts(each.news.as_asked, wants)]

    # -- what the reader got

    def _found(self, news: News) -> bool:
        """Whether this came alone, while it was being sent."""
        return self._place([Waiting(news, True)], news.begun, news.ended + MINUTE) is not None

    def _place(self, wanted: Sequence[Waiting], first: datetime, last: datetime) -> int | None:
        must = {each.news.id for each in wanted if each.surely}
        may = {each.news.id for each in wanted}
        for place, (when, notice) in enumerate(self._got):
            in_time = first - TICK <= when <= last
            if place not in self._seen and in_time and must <= set(notice.alerts) <= may:
                return place
        return None

    def _take(self, wanted: Sequence[Waiting], first: datetime, last: datetime) -> None:
        place = self._place(wanted, first, last)
        if place is None:
            for each in wanted:
                if each.surely:
                    self._miss(each.news, first)
            return
        self._seen.add(place)
        when, notice = self._got[place]
        taken = [self._by_id[name] for name in notice.alerts]
        self.verdicts.counts["summaries" if len(taken) > 1 else "single"] += 1
        deferred = first > max(news.ended for news in taken)
        if deferred:
            self.verdicts.counts["deferred"] += len(taken)
            self.verdicts.latest = max(self.verdicts.latest, (when - first).total_seconds())
        for news in taken:
            self._had.add(news.id)
            self._told[id(news.chain)] = True
        self._count_under_cap(taken, self._turns[place], when)

    def _count_under_cap(self, taken: Sequence[News], turn: datetime, when: datetime) -> None:
        """Several at once count once."""
        wants = self._wanted(turn, when)[-1]
        if wants is None or not any(oracle.counts(news.as_asked, wants) for news in taken):
            return
        day = oracle.own_day(wants, when, SITE_ZONE)
        self._day, self._count = day, self._count + 1 if day == self._day else 1

    def _miss(self, news: News, at: datetime) -> None:
        mine = [when for place, (when, notice) in enumerate(self._got) if news.id in notice.alerts]
        came = ", ".join(f"{when:%a %H:%M:%S}" for when in mine) or "never"
        sentence = f"reader {self._reader} {news.draft['headline']!r} due {at:%a %H:%M:%S}, came {came}"
        self.verdicts.fault("late" if mine else "missed", sentence)
