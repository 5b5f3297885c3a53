"""Headlines and links: what may stand on a lock screen, and where it may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.text import MAX_LINK, graphemes, link_fault, text_fault

SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
FAMILY = "👩\u200d👩\u200d👧\u200d👦"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Aleppo", 6),
        ("é", 1),
        ("e\u0301", 1),
        ("Z\u0351\u036b\u0343\u036a\u0302", 1),
        (FAMILY, 1),
        ("🇸🇾🇺🇦", 2),
        (SCOTLAND, 1),
        ("👍🏽", 1),
        ("❤️", 1),
        ("각", 1),
        ("\u1100\u1161\u11a8", 1),
        ("नि", 1),
        ("می\u200cخواهم", 7),
    ],
)
def test_what_a_reader_sees_is_counted(text: str, count: int) -> None:
    assert graphemes(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "Aid convoy reaches Aleppo",
        "“Quoted” – and more …",
        "حلب\u200f: قافلة",
        "שלום\u200e (1)",
        "می\u200cخواهم",
        FAMILY,
        SCOTLAND,
        "🇸🇾",
        "e\u0301",
        "100\u00a0km",
        "x" * 120,
        FAMILY * 20,
    ],
)
def test_what_the_worlds_scripts_need_passes(text: str) -> None:
    assert text_fault(text, 1, 120) is None


@pytest.mark.parametrize(
    "character",
    [chr(code) for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_bidi_overrides_embeddings_and_isolates_are_refused(character: str) -> None:
    assert "bidirectional" in (text_fault(f"safe{character}text", 1, 120) or "")


@pytest.mark.parametrize(
    "code",
    [0x00, 0x07, 0x09, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x200B, 0x2028, 0x2029, 0x2060, 0xFEFF,
     0xFFF9, 0xE000, 0xE0001, 0xD800],
    ids=lambda code: f"U+{code:04X}",
)  # fmt: skip
def test_control_characters_are_refused(code: int) -> None:
    assert f"U+{code:04X}" in (text_fault(f"a{chr(code)}b", 1, 120) or "")


@pytest.mark.parametrize(
    ("text", "least", "refused"),
    [("", 0, False), ("", 1, True), ("   ", 1, True), ("\u00a0\u3000", 1, True), ("x" * 121, 1, True)],
)
def test_lengths_and_blanks(text: str, least: int, refused: bool) -> None:
    assert (text_fault(text, least, 120) is not None) is refused


@given(st.text())
def test_what_passes_is_printable_and_within_its_length(text: str) -> None:
    if text_fault(text, 1, 120) is None:
        assert text.strip()
        assert graphemes(text) <= 120
        assert not any(ord(character) < 0x20 for character in text)
        text.encode()


@pytest.mark.parametrize(
    "link",
    [
        "https://news.example.com",
        "https://news.example.com/aleppo?a=1&b=%C3%A9#live",
        "https://news.example.com:8443/x",
        "https://NEWS.example.com/x",
        "https://news.example.com/a@b",
    ],
)
def test_links_that_pass(link: str) -> None:
    assert link_fault(link, ["news.example.com"]) is None
    assert link_fault(link, []) is None


@pytest.mark.parametrize(
    "link",
    [
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "http://news.example.com/",
        "HTTPS://news.example.com/",
        "//news.example.com/",
        "/aleppo",
        "https:news.example.com",
        "https:///aleppo",
        "https://",
        "https://user@news.example.com/",
        "https://user:word@news.example.com/",
        "https://@news.example.com/",
        "https://news.example.com\\@evil.example/",
        "https://evil.example\\.news.example.com/",
        "https://news.example.com/ a",
        " https://news.example.com/",
        "https://news.example.com/\n",
        "https://ne\tws.example.com/",
        "https://news.example.com/é",
        "https://nëws.example.com/",
        "https://news.example.com/<script>",
        'https://news.example.com/"x',
        "https://news.example.com/`x",
        "https://news.example.com:99999/",
        "https://news.example.com:x/",
        "https://[::1/",
    ],
)
@pytest.mark.parametrize("hosts", [[], ["news.example.com", "evil.example"]], ids=["any", "listed"])
def test_links_that_do_not(link: str, hosts: list[str]) -> None:
    assert link_fault(link, hosts) is not None


@pytest.mark.parametrize(
    ("link", "passes"),
    [
        ("https://example.com/", True),
        ("https://www.example.com/", False),
        ("https://a.news.example/", True),
        ("https://a.b.news.example/", True),
        ("https://news.example/", False),
        ("https://fakenews.example/", False),
        ("https://example.com.evil.test/", False),
        ("https://example.com./", False),
        ("https://evil.test/example.com", False),
        ("https://evil.test?.news.example", False),
        ("https://evil.test#.news.example", False),
    ],
)
def test_hosts_are_exact_and_a_leading_dot_adds_subdomains(link: str, passes: bool) -> None:
    assert (link_fault(link, ["example.com", ".news.example"]) is None) is passes


def test_the_length_of_a_link() -> None:
    longest = "https://news.example.com/".ljust(MAX_LINK, "x")
    assert link_fault(longest, []) is None
    assert link_fault(longest + "x", []) is not None


@given(st.text() | st.text().map("https://".__add__))
def test_no_text_of_an_editor_raises(link: str) -> None:
    if link_fault(link, ["news.example.com"]) is None:
        assert link.lower().startswith("https://news.example.com")
