"""Tell which kind of value a question asks for (a price, a year, a length), and whether a text holds one."""

from __future__ import annotations

import re
from enum import StrEnum


class Value(StrEnum):
    """Name the kinds of values that an answer must hold."""

    NONE = "none"
    NUMBER = "number"
    MONEY = "money"
    YEAR = "year"
    WHEN = "when"


_MONTHS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
# The first that fits decides. "When is it called?" asks for a condition as much as for a time.
_ASKED = (
    # "How long is paid leave?" asks for no price.
    (Value.NUMBER, r"^\W*how\s+(?:long|often|old|soon|many|far)\b"),
    (Value.WHEN, r"^\W*when\b"),
    (
        Value.MONEY,
        r"\b(?:costs?|prices?|pay|paid|fees?|charged?|charges|expensive|cheap|money|salary|salaries|wages?)\b"
        r"|\bhow\s+much\b.*\b(?:spend|spent|worth|earn|afford)\b",
    ),
    (Value.YEAR, r"\b(?:what|which)\s+year\b"),
    (Value.WHEN, r"\bwhen\b|\b(?:what|which)\s+(?:date|day|time|month)\b"),
)
_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|today|tomorrow|morning|noon|evening|night|midnight"
_SEASONS = r"spring|summer|autumn|winter|easter|christmas"
_CONDITIONS = r"before|after|when(?:ever)?|if|once|until|while|as\s+soon\s+as|during|each|every|always|never"
_COUNTS = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|dozen|hundred|thousand|half"
    r"|every|never|always|free|none|no|many|several"
)
# "Free disk space" and "free accounts" are no prices.
_CURRENCIES = (
    r"dollars?|pounds?|pence|euros?|cents?|shillings?|francs?|kronor|coins?|credits|usd|eur|gbp|chf|gp|no\s+charge|costs?\s+nothing"
    r"|free(?=\s*(?:[.,;:!)|]|\Z)|\s+(?:of\s+charge|for|to)\b)|(?:is|are|be|been|was|were|for)\s+free"
)
_MOMENTS = rf"{_DAYS}|{_MONTHS}|{_SEASONS}|at\s+the\s+(?:start|end|beginning)"
_OFTEN = r"daily|weekly|monthly|yearly"
# No digit of a name, as in "N100" or "v2".
_DIGIT = r"(?<![A-Za-z_\d])\d"
_HELD = {
    Value.MONEY: (
        rf"[£$€¥₹]|\b(?:{_CURRENCIES})\b|\b(?:days?|weeks?|months?|years?)['’]?\s+(?:pay|wages|salary)\b"
        r"|\b(?:half|twice|double|times)\s+(?:the|its|their|that)\s+(?:costs?|prices?|fees?|worth)\b"
    ),
    Value.YEAR: r"\b1[0-9]\d\d\b|\b20\d\d\b|\bcentur(?:y|ies)\b|\byears?\s+ago\b",
    Value.WHEN: rf"{_DIGIT}|\b(?:{_MOMENTS}|{_CONDITIONS}|{_OFTEN})\b",
    Value.NUMBER: rf"{_DIGIT}|\b(?:{_COUNTS}|{_OFTEN})\b",
}
_ASKED_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ASKED)
_HELD_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _HELD.items()}


class Measure(StrEnum):
    """Name what a number may measure."""

    ANY = "any"
    SIZE = "size"
    WEIGHT = "weight"
    TEMPERATURE = "temperature"
    TIME = "time"


_MEASURED = (
    (Measure.WEIGHT, r"\bhow\s+heavy\b|\bweigh"),
    (Measure.TEMPERATURE, r"\bhow\s+(?:hot|cold|warm)\b|\btemperature"),
    (Measure.SIZE, r"\bhow\s+(?:big|large|tall|wide|deep|high|thick|far|small)\b|\b(?:what|which)\s+size\b"),
    (
        Measure.TIME,
        r"\bhow\s+(?:old|often|soon)\b|\bhow\s+long\s+(?:does|do|did|will|should|must|can|until|before|after)\b",
    ),
)
_LENGTHS = (
    r"mm|cm|km|millimet\w*|centimet\w*|kilomet\w*|met(?:er|re)s?|m|inch(?:es)?|in|foot|feet|ft|yards?|miles?|acres?|hectares?"
    r"|square|cubic|pixels?|px|[kmgt]i?b|bytes?|bits?|characters|lines|pages|x|×"
)
_TIMES = r"secs?|seconds?|mins?|minutes?|hours?|days?|weeks?|months?|quarters?|years?|decades?"
_SMALL_NUMBERS = r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|few|several|many"
# (The signs between a number and its unit are bounded: a long run of digits is read in linear time.)
_UNITS = {
    Measure.SIZE: rf"\d[\d.,\s/-]{{0,20}}(?:{_LENGTHS})\b|\d\s*(?:\"|”|′|″|')",
    Measure.WEIGHT: (
        r"\d[\d.,\s-]{0,20}(?:kg|g|mg|grams?|kilo(?:gram)?s?|lbs?|pounds?|ounces?|oz|tons?|tonnes?)\b"
    ),
    Measure.TEMPERATURE: r"\d[\d.,\s-]{0,20}(?:°|º|&deg;|degrees?|[CFK]\b)",
    Measure.TIME: (
        rf"\d[\d.,\s-]{{0,20}}(?:ms|s|h|hrs?|{_TIMES})\b"
        rf"|\b(?:every|each|a|an|per|half|{_SMALL_NUMBERS})\s+(?:\w+\s+)?(?:{_TIMES})\b"
        r"|\b(?:daily|weekly|monthly|yearly|annually|hourly|overnight|once|twice)\b"
    ),
}
_MEASURED_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _MEASURED)
_UNIT_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _UNITS.items()}


def measure_asked(question: str) -> Measure:
    """Return what the number that a question asks for measures; ANY if it does not say."""
    return next((kind for kind, pattern in _MEASURED_PATTERNS if pattern.search(question)), Measure.ANY)


def holds_measure(measure: Measure, text: str) -> bool:
    """Return whether a text holds a number with a unit of a measure; True for ANY."""
    return measure is Measure.ANY or _UNIT_PATTERNS[measure].search(text) is not None


def value_asked(question: str) -> Value:
    """Return the kind of value that a question for a number, a price or a time asks for."""
    return next((kind for kind, pattern in _ASKED_PATTERNS if pattern.search(question)), Value.NUMBER)


def holds_value(kind: Value, text: str) -> bool:
    """Return whether a text holds a value of a kind; True for NONE."""
    return kind is Value.NONE or _HELD_PATTERNS[kind].search(text) is not None
