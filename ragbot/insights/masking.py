"""Mask personal data and secrets in a reader's words before they are stored."""

from __future__ import annotations

import re
from collections.abc import Callable

EMAIL, NUMBER, KEY, ADDRESS = "[email]", "[number]", "[key]", "[address]"

# A run of so many digits names a person or an account; fewer are years, ports and codes of errors.
_FEWEST_DIGITS = 7

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?")
# Parts of 64 characters: as mail servers have them, and so that no text takes long.
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]]{1,64}(?:@|\s?\(at\)\s?)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
# What is before the host of an address may be a user's name and password.
_USER_IN_URL = re.compile(r"(?<=://)[^\s/@]{1,200}@")
_SECRET_IN_URL = re.compile(
    r"([?&](?:\w{0,30}[-_])?(?:token|key|secret|password|passwd|pwd|sig|signature|session|sid|code|auth)=)"
    r"[^\s&#]+",
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN [A-Z ]{3,40}-----.*?(?:-----END [A-Z ]{3,40}-----|\Z)", re.DOTALL)
# The beginnings by which providers mark their keys, and JSON web tokens.
_MARKED_KEY = re.compile(
    r"\b(?:(?:sk|pk|rk)[-_][\w-]{8,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}|xox[abeprs]-[\w-]{8,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{20,}|hf_\w{16,}|npm_\w{16,}|pypi-[\w-]{16,}|SG\.[\w-]{8,}\.[\w-]{8,}"
    r"|eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)"
)
_NAME = r"\b(?:\w{0,30}[-_ ])?(?:password|passwd|passphrase|pwd|secret|token|api[-_ ]?key|access[-_ ]?key)"
_QUOTED_SECRET = re.compile(rf"({_NAME}\s{{0,9}}(?:[:=]|is)\s{{0,9}})([\"'`])[^\"'`\n]+\2", re.IGNORECASE)
_ASSIGNED_SECRET = re.compile(rf"({_NAME}\s{{0,9}}[:=]\s{{0,9}})[^\s\"'`&\[]{{4,}}", re.IGNORECASE)
# "My password is ..." gives one away only if a digit is in it: "is too short" does not.
_SAID_SECRET = re.compile(rf"({_NAME}\s+is\s+)(?=\S*\d)[^\s\[]{{4,}}", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w+/=.~-]{12,}", re.IGNORECASE)
# Hexadecimal digits of a hash or a key; letters and digits mixed as in no word.
_LONG_WORD = re.compile(r"(?<![\w/+=-])[\w+/=-]{20,}(?![\w/+=-])")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b")
_IPV4 = re.compile(r"(?<![\d.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\d.])")
_IPV6 = re.compile(r"(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_MAC = re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.IGNORECASE)
# Digits with the signs that people put between them: telephones, cards, customers, passports.
_DIGITS = re.compile(r"(?<![\w.])(?:[A-Z]{1,3}-?)?[+(]{0,2}\d(?:[ ().\-/]{0,2}\d){6,40}(?!\w)")
_DIGIT_RUN = re.compile(r"\d{7,}")
# Addresses of no reader, which tutorials are full of.
_PUBLIC_ADDRESSES = ("127.0.0.1", "0.0.0.0", "255.255.255.255", "255.255.255.0", "8.8.8.8", "1.1.1.1")  # noqa: S104


def mask_personal_data(text: str) -> str:
    """Return a text with mail addresses, numbers of people and accounts, addresses and keys replaced.

    What is left reads as before: dates, versions, years, ports, and names in code stay. Masking twice gives
    the same as once. A word too much is masked rather than one too few.
    """
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    return text


def _long_word(match: re.Match[str]) -> str:
    """Mask a long word whose letters and digits are mixed; names in code have few digits, and paths parts."""
    word = match.group()
    bare = word.strip("=")
    digits = sum(character.isdigit() for character in bare)
    if re.fullmatch(r"[0-9a-fA-F]{20,}", bare) and digits:
        return KEY
    changes = len(re.findall(r"[A-Za-z]\d|\d[A-Za-z]", bare))
    is_mixed = digits >= 3 and changes >= 4 and not re.fullmatch(r"[a-z0-9]+(?:[_/-][a-z0-9]+){2,}", bare)
    return KEY if is_mixed else word


def _address(match: re.Match[str]) -> str:
    return match.group() if match.group() in _PUBLIC_ADDRESSES else ADDRESS


def _long_address(match: re.Match[str]) -> str:
    found = match.group()
    # A time of day has colons, too.
    is_address = "::" in found or found.count(":") == 7
    return ADDRESS if is_address and re.search(r"\d", found) else found


def _digits(match: re.Match[str]) -> str:
    found = match.group()
    if _DATE.fullmatch(found.strip()) or sum(character.isdigit() for character in found) < _FEWEST_DIGITS:
        return found
    # A date is no number, and what stands beside it may be one.
    if dated := _DATE.search(found):
        before, after = found[: dated.start()], found[dated.end() :]
        return f"{_DIGITS.sub(_digits, before)}{dated.group()}{_DIGITS.sub(_digits, after)}"
    return NUMBER


_STEPS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_PEM, KEY),
    (_USER_IN_URL, ""),
    (_SECRET_IN_URL, rf"\1{KEY}"),
    (_EMAIL, EMAIL),
    (_MARKED_KEY, KEY),
    (_BEARER, rf"\1 {KEY}"),
    (_QUOTED_SECRET, rf"\1\2{KEY}\2"),
    (_ASSIGNED_SECRET, rf"\1{KEY}"),
    (_SAID_SECRET, rf"\1{KEY}"),
    (_UUID, KEY),
    (_MAC, ADDRESS),
    (_IPV6, _long_address),
    (_IPV4, _address),
    (_LONG_WORD, _long_word),
    (_IBAN, NUMBER),
    (_DIGITS, _digits),
    (_DIGIT_RUN, NUMBER),
)
