"""Find what programs turn into links without markup: web and mail addresses, also in entities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from html import unescape
from typing import NamedTuple

# Where an address begins, maybe within the name of a sender (`xwww.a@1/`).
_START = re.compile(
    r"(?P<web>[A-Za-z][A-Za-z0-9+.-]{1,20}://(?=[^\s<])|[Ww]{3}\.|//(?=[^\s<])"
    r"|(?<![A-Za-z0-9_])(?ai:(?:mailto|tel|xmpp|javascript|vbscript):(?=\S)|data:(?=[a-z]+/)))"
    r"|(?P<mail>(?<![A-Za-z0-9._+-])(?:[A-VX-Za-vx-z0-9._+-]|[Ww](?![Ww]{2}\.))*@(?=[^\s<]))"
)
# Every address contains one of these, and they are found in a tenth of the time.
_HINT = re.compile(r"[:@]|//|[Ww]\.")

_WEB_END = re.compile(r"[\s<`]")
_WEB_ADDRESS = re.compile(r"https?://[^\s<`]+")
_NARROW_ADDRESS = re.compile(r"https?://[^\s<>\"'`)\]]+")
# Signs after an address that renderers take for the end of a sentence, and other signs that may follow it.
_PUNCTUATION = ".,;:!?*_~'\")"
_AROUND = f"{_PUNCTUATION}]}}>|"
# Slashes with no host behind. (A name in front of the host may hold anything.)
_SLASHES_ALONE = re.compile(r"/{2,}+(?!(?:[^\s/?#]*@)?(?:[^\s/?#@.]+\.)+[^\s/?#@.]*?[^\W\d_])")
# In a sentence on addresses: `https://` alone, or with nothing behind it that a host could begin with.
_SCHEME_ALONE = re.compile(r"[A-Za-z]+://(?=[.,;:!?*_~'\")\]}>|…]+\Z)")

# Programs differ in what they take for a letter of a host: a hyphen in front, signs beyond ASCII (but for
# the punctuation of East Asian writing), and what is escaped.
_HOST_LETTER = r"(?:[\w-]|[^\x00-\x7f\s\u3000-\u303f\uff00-\uffef]|\\[_-])"
_MAIL_ADDRESS = re.compile(rf"([A-Za-z0-9._+-]*)@((?:{_HOST_LETTER}|\.)*)")
# (A version such as `name@1.2.0` is no host.)
_HOST = re.compile(rf"(?:{_HOST_LETTER}+\.)+{_HOST_LETTER}*?[^\W\d_]")
_SENDER = re.compile(r"[\w.+-]")

# Signs of an address written so that Markdown takes them for nothing else; some programs make links of what
# they have decoded.
_CODED = re.compile(
    r"[\\&](?:(?<=\\)(?P<escaped>[/:.@])|(?<=&)(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
)
_OF_AN_ADDRESS = re.compile(r"[\w:/.@+-]+")
_WORD = re.compile(r"[!-~]+")
# Enough for the beginning of an address, with all of its signs in entities.
LONGEST_CODED_START = 100


class Found(NamedTuple):
    """Describe what begins like an address: how long it is, and what of it may be shown.

    `is_address` is False where it only looks like one. `ends_open` says that what follows could be taken for
    a part of it.
    """

    length: int
    shown: str
    is_address: bool
    ends_open: bool


class OwnAddresses:
    """Know the book's own addresses: those of its pages, and those in the text of the passages."""

    def __init__(self, text: str, urls: Iterable[str]) -> None:
        self._text = text
        self._urls = frozenset(urls)

    def __contains__(self, url: str) -> bool:
        return url in self._urls or url in self._quoted_urls

    def is_autolink(self, url: str) -> bool:
        """Return whether `<url>` is a link of the book's own."""
        return url in self and _WEB_ADDRESS.fullmatch(url) is not None

    def web_at_start(self, text: str, *, whole: bool, longest: int) -> Found | None:
        """Find the web address at the start of a text, or None where more must come to know it.

        A word of the `longest` length may go on behind it.
        """
        end = _WEB_END.search(text)
        if end is None and not whole:
            return None
        word = text[: end.start()] if end else text
        harmless = _SLASHES_ALONE.match(word)
        if not harmless and len(word) < longest and not text.startswith("`", len(word)):
            harmless = _SCHEME_ALONE.match(word)
        if harmless:
            return Found(harmless.end(), harmless.group(), is_address=False, ends_open=False)
        url = word.rstrip(_AROUND)
        if url not in self:
            return Found(len(url), "", is_address=True, ends_open=True)
        behind = word[len(url) :]
        shown = url + behind[: len(behind) - len(behind.lstrip(_PUNCTUATION))]
        return Found(len(shown), shown, is_address=True, ends_open=True)

    def mail_at_start(self, text: str, *, whole: bool, before: str) -> Found | None:
        """Find the mail address at the start of a text, or None where more must come to know it."""
        found = _MAIL_ADDRESS.match(text)
        assert found is not None, "there is an @ in it"
        if found.end() == len(text) and not whole:
            return None
        address = _mail(found)
        if address in self._quoted_mail:
            return Found(len(address), address, is_address=True, ends_open=False)
        if _HOST.match(found[2]) and _SENDER.match(found[1][-1:] or before[-1:]):
            return Found(len(address), "", is_address=True, ends_open=True)
        # A decorator, a version, a name on this machine.
        return Found(len(found[1]) + 1, f"{found[1]}@", is_address=False, ends_open=False)

    @cached_property
    def _quoted_urls(self) -> frozenset[str]:
        """Return the addresses in the text, and the pages of the book's own addresses."""
        found = [*_WEB_ADDRESS.findall(self._text), *_NARROW_ADDRESS.findall(self._text)]
        pages = [url.partition("#")[0] for url in self._urls]
        return frozenset([*(word.rstrip(_AROUND) for word in found), *pages]) - {""}

    @cached_property
    def _quoted_mail(self) -> frozenset[str]:
        return frozenset(map(_mail, _MAIL_ADDRESS.finditer(self._text)))


def find_start(text: str) -> re.Match[str] | None:
    """Find where the first address begins: a match whose group `web` or `mail` is set, or None."""
    return _START.search(text) if _HINT.search(text) else None


def with_plain_addresses(text: str, start: int, following: str) -> str:
    """Return the text with those words from `start` on decoded that are addresses then.

    `following` is the character behind the text, if any.
    """
    if not _CODED.search(text, start):
        return text

    def plain(word: re.Match[str]) -> str:
        decoded = _CODED.sub(_sign_of_an_address, word.group())
        if decoded == word.group():
            return decoded
        end = start + word.end()
        return decoded if find_start(decoded + (text[end : end + 1] or following)) else word.group()

    return text[:start] + _WORD.sub(plain, text[start:])


def _sign_of_an_address(coded: re.Match[str]) -> str:
    """Return what is meant, where it is a sign of addresses and none of Markdown's."""
    meant = coded["escaped"] or unescape(coded.group())
    return meant if _OF_AN_ADDRESS.fullmatch(meant) else coded.group()


def _mail(found: re.Match[str]) -> str:
    return found.group().rstrip(".-_")
