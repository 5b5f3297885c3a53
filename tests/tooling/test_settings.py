"""Each setting refuses what nothing could be done with, and takes a list as text and as a list."""

from pathlib import Path
from typing import Any

import pytest

from tocsin.domain.errors import Misconfigured
from tocsin.settings import TOML_FILE, load

WRONG: dict[str, tuple[Any, str]] = {
    "store_url": ("http://localhost", "redis://"),
    "base_path": ("alerts", "begin with /"),
    "public_url": ("https://me@news.example", "user's name"),
    "trusted_proxies": ("10.0.0.0/8, proxy.example", "'proxy.example' is not an address"),
    "allowed_origins": (("https://a.example", "b.example"), "'b.example' must be"),
    "allowed_link_hosts": ("News.example", "lower case"),
    "allowed_push_hosts": ("https://push.example", "not a host's name"),
    "vapid_subject": ("mailto:desk@news.local", "Apple"),
    "push_connect_to": ("push.example:443", "host:port:host:port"),
    "topics": ("World", "no id"),
    "time_zone": ("Europe/Nowhere", "IANA"),
    "subscribe_rate": ("10 a minute", "10/minute"),
    "alert_rate": ("0/minute", "off for no limit"),
    "approval": ("flash,loud", "'loud' is no level"),
    "consent_text_version": ("one two", "letters, digits"),
    "port": ("99999", "65535"),
    "request_seconds": ("20", "LEASE_SECONDS"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_and_said(name: str) -> None:
    value, told = WRONG[name]
    with pytest.raises(Misconfigured) as refused:
        load(**{name: value})
    assert name.upper() in refused.value.detail
    assert told in refused.value.detail


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/./a", "//a", "/a b", "/a?b"])
def test_a_base_path_is_one_that_stays_as_it_is(path: str) -> None:
    with pytest.raises(Misconfigured, match="TOCSIN_BASE_PATH"):
        load(base_path=path)


def test_a_list_is_text_or_a_list() -> None:
    hosts = (".example.com", "news.example")
    assert load(allowed_link_hosts=" .example.com,news.example, ").allowed_link_hosts == hosts
    assert load(allowed_link_hosts=list(hosts)).allowed_link_hosts == hosts
    assert load(allowed_link_hosts="").allowed_link_hosts == ()
    assert load(base_path="/a/b.c/").base_path == "/a/b.c"


@pytest.mark.parametrize("content", [b"site_name = Caf", 'site_name = "Café"'.encode("latin-1")])
def test_a_file_that_cannot_be_read_is_named(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / TOML_FILE).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match=TOML_FILE):
        load()
