"""What a message costs its sender, counted: no time is measured, so a busy machine changes nothing."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from push_browser import AnySender, Browser, MakeSender

from tocsin import clock
from tocsin.bench.processes import choose_cpus
from tocsin.bench.sink import SinkKind, open_sink
from tocsin.domain.deliveries import Outcome, classify
from tocsin.domain.subscriptions import Record
from tocsin.push.curl_sender import CurlSender
from tocsin.push.encryption import derive, pad
from tocsin.push.http2_sender import Http2Sender
from tocsin.push.prekeys import Seal, day_of
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings, load
from tocsin.simulator.authority import Authority
from tocsin_workers.keyring import Keyring
from tocsin_workers.letters import Letters, Message

MESSAGES, WINDOW = 2_000, 100
HOSTS = ("fcm.googleapis.com", "updates.push.services.mozilla.com")
# Calls of Python functions and of C functions from Python for a message: a record becomes a letter, the letter an
# answer, and the answer an outcome. A little over what it takes today; whoever makes it cheaper lowers it.
CALLS = {
    (CurlSender, "fresh"): 100,
    (CurlSender, "prekeyed"): 75,
    (Http2Sender, "fresh"): 102,
    (Http2Sender, "prekeyed"): 78,
}
# For the whole of the second 2,000 messages: what a message leaves behind would be 2,000 or more.
BLOCKS_KEPT = 1_000


class Calls:
    count = 0

    def note(self, _frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            self.count += 1


@contextmanager
def counting() -> Iterator[Calls]:
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data_dir=tmp_path)


class Worker:
    """What a worker does with a window, less the store."""

    def __init__(self, settings: Settings, sender: AnySender, browser: Browser) -> None:
        self.server = ApplicationServer.load_or_make(settings.vapid_file, settings.vapid_subject)
        self.letters = Letters(self.server, settings)
        self.sender = sender
        self.seal = Seal(bytes(32), b"life")
        now = clock.now()
        self.message = Message(pad(b"x" * 322), "high", "k" * 32, 3_600, now.replace(year=now.year + 1))
        self.records = [
            Record(
                f"https://{HOSTS[number % 2]}/send/{number:0140}", browser.p256dh, browser.auth, self.server.key_id, 0
            )
            for number in range(MESSAGES)
        ]
        self.packed = [record.pack() for record in self.records]

    def entries(self) -> dict[int, bytes]:
        keys = [derive(record.p256dh, record.auth) for record in self.records]
        pairs = enumerate(zip(keys, self.records, strict=True))
        today = day_of(clock.now())
        return {slot: self.seal.close(key, record.p256dh, record.auth, today) for slot, (key, record) in pairs}

    async def send_all(self, entries: dict[int, bytes]) -> int:
        keyring = Keyring(None)
        keyring.add(range(MESSAGES), entries, self.seal)
        return sum([await self.window(range(start, start + WINDOW), keyring) for start in range(0, MESSAGES, WINDOW)])

    async def window(self, slots: Sequence[int], keyring: Keyring) -> int:
        now = clock.now()
        letters = [self.letters.write(slot, self.packed[slot], self.message, now, keyring) for slot in slots]
        answers = await self.sender.send([letter.envelope for letter in letters if letter])
        return sum(classify(answer).outcome is Outcome.ACCEPTED for answer in answers)


@pytest.mark.parametrize("kind", ["fresh", "prekeyed"])
async def test_work_for_a_message(
    kind: str,
    sender_class: type[AnySender],
    tmp_path: Path,
    authority: Authority,
    make_sender: MakeSender,
    settings: Settings,
    browser: Browser,
) -> None:
    """Signatures by origin, handshakes by what is in flight, calls by message, and nothing kept of any."""
    certificate, key = authority.issue(*HOSTS)
    async with open_sink(tmp_path / "sink", certificate, key, choose_cpus().sink, SinkKind.OWN) as sink:
        targets = [f"{host}:443:127.0.0.1:{sink.port}" for host in HOSTS]
        async with make_sender(*targets) as sender:
            worker = Worker(settings, sender, browser)
            first, second = [worker.entries() if kind == "prekeyed" else {} for _ in range(2)]
            assert await worker.send_all(first) == MESSAGES
            gc.collect()
            blocks = sys.getallocatedblocks()

            with counting() as calls:
                assert await worker.send_all(second) == MESSAGES

            gc.collect()
            kept = sys.getallocatedblocks() - blocks
    assert worker.server.signatures == len(HOSTS)
    assert sender.connections == len(HOSTS)
    assert kept < BLOCKS_KEPT
    assert calls.count / MESSAGES < CALLS[sender_class, kind]
