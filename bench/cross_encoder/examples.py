"""Read public question sets: questions with the sentence that answers, and sentences near it that do not.

Kept apart from training, since it needs only the tokenizer.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

# So many sentences that do not answer go with each one that does: those with most of the question's words.
WRONG = 3
SHORTEST = 15
# Sentences before and after the right one from which the wrong ones are taken.
NEAR = 6
_WORD = re.compile(r"\w+")
_STOP_WORDS = frozenset(
    "a an the of in on at to is are was were did does do what which who whom whose how many much when where"
    " why for by with from and or that this it its be been as has have had not".split()
)
_BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "``": '"', "''": '"'}
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)\]][.?!])\s+(?=[A-Z])|\n+")


@dataclass(frozen=True, slots=True)
class Example:
    """Hold a question, the place of its texts ("Israel: Museums", or ""), the right and the wrong texts.

    The best of each are first. Without a right text, the wrong ones look like an answer and are none.
    """

    question: str
    place: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def read_examples(folder: Path) -> list[Example]:
    """Return the examples of the sets in a folder, shuffled; bench/README.md names the files."""
    examples = [*_squad(folder), *_selqa(folder), *_qed(folder), *_covid_qa(folder)]
    random.Random(7).shuffle(examples)
    return examples


def read_book_examples(path: Path) -> list[Example]:
    """Return the examples that `bench.cross_encoder.book_examples` wrote."""
    rows = map(json.loads, _lines(path))
    return [Example(row["question"], row["place"], tuple(row["right"]), tuple(row["wrong"])) for row in rows]


def _squad(folder: Path) -> Iterator[Example]:
    """Read SQuAD as split and tokenised by Du et al. (2017): a sentence and a question in a line each."""
    for part in ("dev", "test"):
        sentences = [_readable(line) for line in _lines(folder / f"src-{part}.txt")]
        questions = [_readable(line) for line in _lines(folder / f"tgt-{part}.txt")]
        different: list[str] = []
        for sentence in sentences:
            if not different or different[-1] != sentence:
                different.append(sentence)
        place = -1
        for question, sentence in zip(questions, sentences, strict=True):
            if place < 0 or different[place] != sentence:
                place += 1
            near = [*different[max(0, place - NEAR) : place], *different[place + 1 : place + 1 + NEAR]]
            yield from _example(question, "", sentence, near)


def _selqa(folder: Path) -> Iterator[Example]:
    for part in ("dev", "test"):
        for row in json.loads((folder / f"selqa-ass-{part}.json").read_text(encoding="utf-8")):
            texts = [_readable(text) for text in row["candidates"]]
            right = [texts[number] for number in row["answers"]]
            if right:
                wrong = [text for text in texts if text not in right]
                yield from _example(
                    _readable(row["question"]), f"{row['article']}: {row['section']}", right[0], wrong
                )


def _qed(folder: Path) -> Iterator[Example]:
    for line in _lines(folder / "qed-dev.jsonlines"):
        row = json.loads(line)
        chosen: dict[str, Any] = row["annotation"].get("selected_sentence") or {}
        if "start" in chosen:
            text, starts = row["paragraph_text"], [*row["sentence_starts"], len(row["paragraph_text"])]
            right = text[chosen["start"] : chosen["end"]].strip()
            others = [text[a:b].strip() for a, b in pairwise(starts)]
            wrong = [_readable(one) for one in others if one[:30] not in right]
            yield from _example(row["question_text"], row["title_text"], _readable(right), wrong)


def _covid_qa(folder: Path) -> Iterator[Example]:
    for document in json.loads((folder / "200423_covidQA.json").read_text(encoding="utf-8"))["data"]:
        for paragraph in document["paragraphs"]:
            text = paragraph["context"]
            ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
            spans = [(a, b) for a, b in pairwise(ends) if b - a > SHORTEST]
            texts = [" ".join(text[a:b].split())[:400] for a, b in spans]
            for row in paragraph["qas"]:
                start = row["answers"][0]["answer_start"]
                place = next((n for n, (a, b) in enumerate(spans) if a <= start < b), None)
                if place is not None:
                    near = [*texts[max(0, place - NEAR) : place], *texts[place + 1 : place + 1 + NEAR]]
                    yield from _example(row["question"], "", texts[place], near)


def _example(question: str, place: str, right: str, near: Sequence[str]) -> Iterator[Example]:
    asked = _words(question)
    wrong = [text for text in dict.fromkeys(near) if text != right and len(text) > SHORTEST]
    wrong.sort(key=lambda text: -len(_words(text) & asked))
    if wrong and len(right) > SHORTEST:
        yield Example(question, place, (right,), tuple(wrong[:WRONG]))


def _words(text: str) -> set[str]:
    return {word[:6] for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS}


def _readable(text: str) -> str:
    """Return a tokenised sentence as it is written: no blank before a stop, brackets for their names."""
    for name, sign in _BRACKETS.items():
        text = text.replace(name, sign).replace(name.upper(), sign)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    text = re.sub(r" ([.,;:!?%)\]])", r"\1", text)
    return re.sub(r"([(\[$]) ", r"\1", text).strip()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
