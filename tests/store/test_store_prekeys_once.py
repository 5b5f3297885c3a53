"""No prekey ever serves two plaintexts, whatever becomes of the servers that keep them.

Two real servers, and workers that may be talking to either. Hypothesis chooses what happens: keys are made and used,
readers change theirs or leave their slot to others, calls arrive late or twice, servers are wiped, killed, restored
from any dump of either, made to follow each other, promoted, and made to follow again.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from prekey_nodes import Node

from tocsin import clock
from tocsin.domain.errors import Unavailable
from tocsin.domain.subscriptions import Record
from tocsin.push.encryption import MessageKey, pad, seal
from tocsin.settings import Settings, load
from tocsin.store import prekeys as module
from tocsin.store.client import Argument
from tocsin.store.prekeys import Prekeys
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin_workers.keyring import Keyring, Keyrings, Wanted
from tocsin_workers.prekeys import Stock

SHARD, SLOTS, LAYERS = "fcm.0", 4, 2

some_node = st.integers(0, 1)
some_slots = st.sets(st.integers(0, SLOTS - 1), min_size=1)
any_number = st.integers(0, 1_000)


class Reader:
    """A browser, with the keys that it has now."""

    def __init__(self, slot: int, number: int) -> None:
        self.private_key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        self.auth = number.to_bytes(16)
        point = self.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        url = f"https://fcm.googleapis.com/send/{slot}-{number}"
        self.record = Record(url, point, self.auth, b"vapi", 0)


class Counts:
    """How many prekeys served at all: a test in which none does shows nothing."""

    def __init__(self) -> None:
        self.used = 0

    def prekey(self, used: bool) -> None:
        self.used += used

    def prekeys_made(self, _: int) -> None:
        pass


class Once(RuleBasedStateMachine):
    def __init__(self, runner: asyncio.Runner, store: Store, nodes: Sequence[Node], folder: Path, counts: Counts):
        super().__init__()
        self.runner, self.store, self.nodes, self.folder, self.counts = runner, store, nodes, folder, counts
        self.served: set[MessageKey] = set()
        self.salts: set[bytes] = set()
        self.rings: list[tuple[Keyring, list[int]]] = []
        self.puts: list[tuple[Sequence[str], Sequence[Argument]]] = []
        self.dumps: list[Path] = []
        self.readers: dict[int, Reader] = {}
        self.births = 0
        self.runner.run(self._open())

    async def _open(self) -> None:
        await self.store.server.redis.flushall()
        for node in self.nodes:
            await node.promote()
            await node.do("FLUSHALL")
        self.prekeys = [Prekeys(node.url, LAYERS) for node in self.nodes]
        counting: Any = self.counts
        self.keyrings = [Keyrings(each, self.store.prekey_secret, counting) for each in self.prekeys]
        for prekeys in self.prekeys:
            self._note_puts(prekeys)
        self.stocks = [
            Stock(self.store, prekeys, keyrings, counting, lambda: False)
            for prekeys, keyrings in zip(self.prekeys, self.keyrings, strict=True)
        ]
        for slot in range(SLOTS):
            await self._settle(slot)

    def _note_puts(self, prekeys: Prekeys) -> None:
        run = prekeys._making.run

        async def noting(script: str, keys: Sequence[str], *arguments: Argument) -> Any:
            if script == "put_prekeys":
                self.puts.append((keys, arguments))
            return await run(script, keys, *arguments)

        prekeys._making.run = noting  # type: ignore[method-assign]

    async def _settle(self, slot: int) -> None:
        self.births += 1
        self.readers[slot] = Reader(slot, self.births)
        records = shard_key(SHARD, "records")
        await self.store.server.redis.hset(records, str(slot), self.readers[slot].record.pack())

    # -- keys are made and used

    @initialize()
    def begin(self) -> None:
        """Something is there to be brought back: dumps of keys that were used since."""
        for node in (0, 1):
            self._make(node)
            self._save(node)
            self._take(node, set(range(SLOTS)))
            self._use(node)

    @rule(node=some_node, slots=some_slots)
    def work(self, node: int, slots: set[int]) -> None:
        self._make(node)
        self._take(node, slots)
        self._use(len(self.rings) - 1)

    @rule(node=some_node, slots=some_slots)
    def take(self, node: int, slots: set[int]) -> None:
        self._take(node, slots)

    @rule(node=some_node)
    def make(self, node: int) -> None:
        self._make(node)

    @rule(which=any_number)
    def use(self, which: int) -> None:
        """What was taken a while ago, or is asked for a second time."""
        if self.rings:
            self._use(which % len(self.rings))

    def _make(self, node: int) -> None:
        async def always() -> bool:
            return True

        with suppress(Unavailable):
            self.runner.run(self.stocks[node]._fill(SHARD, always))

    def _take(self, node: int, slots: set[int]) -> None:
        self.prekeys[node]._asks_from = 0.0
        ring = self.keyrings[node].empty()
        self.runner.run(self.keyrings[node].take([Wanted(ring, SHARD, sorted(slots))]))
        self.rings.append((ring, sorted(slots)))

    def _use(self, which: int) -> None:
        ring, slots = self.rings[which]
        for slot in slots:
            reader = self.readers[slot]
            key = ring.key(slot, reader.record, clock.now())
            assert key not in self.served, "a prekey served two plaintexts"
            assert key.header[:16] not in self.salts
            self.served.add(key)
            self.salts.add(key.header[:16])
            body = seal(key, pad(b"news"))
            assert http_ece.decrypt(body, private_key=reader.private_key, auth_secret=reader.auth) == b"news"

    @rule(slot=st.integers(0, SLOTS - 1))
    def change(self, slot: int) -> None:
        """Other keys in this slot: the same reader's, or another reader's."""
        self.runner.run(self._settle(slot))

    @rule(slot=st.integers(0, SLOTS - 1))
    def leave(self, slot: int) -> None:
        self.runner.run(self.store.server.redis.hdel(shard_key(SHARD, "records"), str(slot)))

    # -- what goes wrong

    @rule(which=any_number, node=some_node)
    def put_again(self, which: int, node: int) -> None:
        """A call that was on its way for long, or that somebody between sends a second time."""
        if self.puts:
            keys, arguments = self.puts[which % len(self.puts)]
            with suppress(Unavailable):
                self.runner.run(self.prekeys[node]._taking.run("put_prekeys", keys, *arguments))

    @rule(node=some_node, what=st.sampled_from(["wipe", "restart", "a leave lapses"]))
    def lose(self, node: int, what: str) -> None:
        if what == "restart":
            self.runner.run(self.nodes[node].restart())
        else:
            words = ["FLUSHALL"] if what == "wipe" else ["DEL", shard_key(SHARD, "prekeys:leave")]
            with suppress(Unavailable):  # one that follows another may not be written to
                self.runner.run(self.nodes[node].do(*words))

    @rule(node=some_node)
    def save(self, node: int) -> None:
        self._save(node)

    def _save(self, node: int) -> None:
        dump = self.folder / f"dump-{len(self.dumps)}"
        self.runner.run(self.nodes[node].save(dump))
        self.dumps.append(dump)

    @rule(node=some_node, which=any_number)
    def restore(self, node: int, which: int) -> None:
        if self.dumps:
            self.runner.run(self.nodes[node].restart(self.dumps[which % len(self.dumps)]))

    @rule(node=some_node, stays=st.booleans())
    def follow(self, node: int, stays: bool) -> None:
        """It gets all that the other has, and goes on by itself or stays a replica."""
        follower, primary = self.nodes[node], self.nodes[1 - node]
        self.runner.run(primary.promote())
        self.runner.run(follower.follow(primary))
        if not stays:
            self.runner.run(follower.promote())

    @rule(node=some_node)
    def promote(self, node: int) -> None:
        self.runner.run(self.nodes[node].promote())

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.runner.run(self._close())

    def _end(self) -> None:
        """Whatever happened, both work; and whatever is left is used, layer by layer."""
        for node in (0, 1, 0, 1):
            self.runner.run(self.nodes[node].promote())
            self._take(node, set(range(SLOTS)))
        for which in range(len(self.rings)):
            self._use(which)

    async def _close(self) -> None:
        for prekeys in self.prekeys:
            await prekeys.close()


@contextmanager
def two_nodes(runner: asyncio.Runner, folder: Path) -> Iterator[list[Node]]:
    nodes = [Node(folder / name) for name in ("one", "other")]
    try:
        for node in nodes:
            runner.run(node.start())
        yield nodes
    finally:
        for node in nodes:
            node.kill()


@contextmanager
def machine_of(servers: Settings, folder: Path, counts: Counts) -> Iterator[Callable[[], Once]]:
    with asyncio.Runner() as runner, two_nodes(runner, folder) as nodes:

        async def opened() -> Store:
            return Store(load(data_dir=folder, store_url=servers.broker))  # the same without a disk to wait for

        store = runner.run(opened())
        yield lambda: Once(runner, store, nodes, folder, counts)
        runner.run(store.server.close())


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not leave a test without prekeys."""
    monkeypatch.setattr(module, "TAKE_SECONDS", 5.0)


@pytest.mark.timeout(480)  # a failure is made small before it is told, with the seed to repeat it
def test_no_prekey_serves_two_plaintexts(servers: Settings, tmp_path: Path) -> None:
    counts = Counts()
    with machine_of(servers, tmp_path, counts) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=12,
                stateful_step_count=25,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert counts.used > 100


def test_a_fail_over_and_back_brings_nothing_back(servers: Settings, tmp_path: Path) -> None:
    """The first server lives all the time and has its run id; what it gets back is what its replica had."""
    counts = Counts()
    with machine_of(servers, tmp_path, counts) as machine:
        once = machine()
        try:
            once.work(0, {0})
            once.follow(1, stays=False)
            once.work(0, {1})
            assert counts.used == 2
            once.follow(0, stays=False)
        finally:
            once.teardown()
