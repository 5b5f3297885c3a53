"""An origin is what browsers write, or no origin."""

import pytest

from tocsin.domain.origins import parse_origin

ORIGINS = {
    "https://news.example": "https://news.example",
    "https://news.example/": "https://news.example",
    "HTTPS://News.Example": "https://news.example",
    "https://news.example:443/": "https://news.example",
    "http://news.example:80": "http://news.example",
    "http://news.example:443": "http://news.example:443",
    "https://news.example:08443": "https://news.example:8443",
    "http://localhost:8080": "http://localhost:8080",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://[0:0::1]:8080": "http://[::1]:8080",
    "https://xn--kln-sna.example": "https://xn--kln-sna.example",
}
NONE = {
    "": "ASCII",
    "news.example": "http:// or https://",
    "ftp://news.example": "http:// or https://",
    "https://": "and a host",
    "https://news.example/alerts": "leave the path out",
    "https://news.example//": "leave the path out",
    "https://news.example?a=b": "leave what follows",
    "https://news.example/#top": "leave what follows",
    "https://me@news.example": "leave the user's name out",
    "https://news.example:99999": "no address of a site",
    "https://news.example:port": "no address of a site",
    "https://[::1": "no address of a site",
    "https://news..example": "no host's name",
    "https://-news.example": "no host's name",
    "https://news.example\\evil": "no host's name",
    "https://köln.example": "xn--",
    "https://news.example\n": "blanks",
    " https://news.example": "blanks",
}


@pytest.mark.parametrize(("text", "origin"), ORIGINS.items())
def test_an_origin_is_written_as_browsers_write_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin == parse_origin(origin)


@pytest.mark.parametrize(("text", "told"), NONE.items())
def test_what_is_no_origin_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_origin(text)
