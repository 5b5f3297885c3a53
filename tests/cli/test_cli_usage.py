"""How commands end: 0 done, 1 failed, 2 wrong usage; a sentence on standard error, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_run import Commands

COMMANDS = [
    (),
    ("up",),
    ("demo",),
    ("api",),
    ("worker",),
    ("beat",),
    ("simulator",),
    ("settings",),
    ("bench",),
    ("doctor",),
    ("alert",),
    ("alert", "send"),
    ("alert", "list"),
    ("alert", "show"),
    ("alert", "stop"),
    ("topics",),
    ("topics", "list"),
    ("topics", "apply"),
    ("keys",),
    ("keys", "api"),
    ("keys", "api", "add"),
    ("keys", "api", "list"),
    ("keys", "api", "delete"),
    ("keys", "vapid"),
    ("keys", "vapid", "show"),
]
NO_STORE = {"TOCSIN_STORE_URL": "unix:///nowhere/store.sock"}
SEND = ("alert", "send", "--headline", "x", "--url", "https://a.example/", "--level", "update", "--topic", "world")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_every_command_explains_itself(tocsin: Commands, words: tuple[str, ...]) -> None:
    ran = await tocsin(*words, "--help")

    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: tocsin{''.join(' ' + word for word in words)}" in " ".join(ran.out.split())
    first, *rest = [line.strip() for line in ran.out.splitlines() if line.strip()]
    assert first.startswith("Usage: ")
    assert rest[0][0].isupper()
    assert "None" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("alert", "nothing"),
        ("alert", "send"),
        ("alert", "send", "--level", "loud"),
        ("alert", "show"),
        ("alert", "list", "--limit", "0"),
        ("alert", "list", "--nothing"),
        ("topics", "apply", "no-such-file.toml"),
        ("topics", "apply", "."),
        ("keys", "api", "add", "Night desk"),
        ("keys", "api", "add", "Night desk", "--role", "king"),
        ("up", "--port", "0"),
        ("up", "--workers", "x"),
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_2(tocsin: Commands, words: tuple[str, ...]) -> None:
    ran = await tocsin(*words)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip()


@pytest.mark.parametrize("words", [(), ("alert",), ("keys", "api")], ids=" ".join)
async def test_a_group_alone_shows_what_there_is(tocsin: Commands, words: tuple[str, ...]) -> None:
    ran = await tocsin(*words)

    assert ran.code == 2
    assert "Usage" in ran.out + ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("alert", "list"),
        ("alert", "show", "x"),
        ("alert", "stop", "x"),
        SEND,
        ("topics", "list"),
        ("keys", "api", "list"),
        ("keys", "api", "add", "x", "--role", "ops"),
        ("keys", "api", "delete", "x"),
    ],
    ids=" ".join,
)
async def test_no_store_is_1_and_says_what_to_do(tocsin: Commands, words: tuple[str, ...]) -> None:
    ran = await tocsin(*words, environment=NO_STORE)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("tocsin: TOCSIN_STORE_URL does not answer")
    assert "`tocsin up`" in ran.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TOCSIN_PORT", "seven", "TOCSIN_PORT"),
        ("TOCSIN_SUBSCRIBE_RATE", "lots", "10/minute"),
        ("TOCSIN_VAPID_SUBJECT", "mailto:me@localhost", "TOCSIN_VAPID_SUBJECT"),
        ("TOCSIN_ADMIN_KEY", "a-short-secret", "TOCSIN_ADMIN_KEY"),
        ("TOCSIN_APPROVAL", "flash,loud", "flash, breaking, update"),
        ("TOCSIN_LINK_CHECK", "sometimes", "TOCSIN_LINK_CHECK"),
        ("TOCSIN_PRIVACY_URL", "http://localhost/privacy", "TOCSIN_PRIVACY_URL: must begin with https://"),
        ("TOCSIN_READER_URL", "http://LOCALHOST:8480/", "READER_URL: must begin with https:// (or http://localhost, "),
        ("TOCSIN_TEXTS", "{", "TOCSIN_TEXTS: must be JSON"),
        ("TOCSIN_TEXTS", '{"en": "x"}', "TOCSIN_TEXTS"),
        ("TOCSIN_TEXTS", '{"en": {"push.tset": "x"}}', "TOCSIN_TEXTS: en: push.tset: there is no such text"),
    ],
)
async def test_a_setting_at_fault_is_named_and_not_repeated(
    tocsin: Commands, name: str, value: str, words: str
) -> None:
    for command in (("settings",), ("doctor",), ("topics", "list")):
        ran = await tocsin(*command, environment={name: value})
        assert ran.code == 1
        assert words in ran.out + ran.err
        assert "a-short-secret" not in ran.out + ran.err


def test_the_module_and_the_script_end_alike(tmp_path: Path) -> None:
    """The one test with a process of its own: that what it prints and how it ends leaves the process so."""
    environment = {**os.environ, **NO_STORE}
    script = Path(sys.executable).with_name("tocsin")
    for argv in ([sys.executable, "-m", "tocsin.cli.main"], [str(script)]):
        version = subprocess.run([*argv, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
        failed = subprocess.run(
            [*argv, "topics", "list"], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
        )
        assert (version.returncode, version.stdout.split()[0]) == (0, "tocsin")
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr.startswith("tocsin: ")
        assert len(failed.stderr.splitlines()) == 1
