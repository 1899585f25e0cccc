"""Train the local embedder on questions about books, and write it for ONNX Runtime with int8 weights.

usage: python -m bench.embedder.train BOOKS.jsonl WEIGHTS OUT.onnx [--without NAME ...] [--passes 2]

BOOKS is what `bench.embedder.book_chunks` wrote, WEIGHTS the `model.safetensors` of all-MiniLM-L6-v2.
bench/README.md names the packages it needs. The vector of a question or a text is the mean of its last
states, of length 1. A question learns to be more similar to the chunk that answers it than to others of its
book, and to the sentence that answers it than to the sentences of all these (the mean of their tokens, as
`providers/sentence_vectors.py` makes them). The others are chunks that answer other questions: those of the
same step, and those of earlier steps as they were then ("Cross-Batch Memory", Wang et al., 2020).
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from tokenizers import Tokenizer
from torch import nn

from bench.cross_encoder.network import Encoder, load_tokenizer, mean_of, padded, write_int8

# Of a chunk; the service reads 384, which takes longer to train. Few chunks have so many.
LONGEST_TOKENS = 256
FROZEN_LAYERS = 2
# Chunks one after the other, of those that have questions, how many such runs make a step, and the most
# questions of a chunk in a step.
RUN, RUNS_A_STEP, QUESTIONS_A_CHUNK = 3, 4, 8
RATE, WARM_UP = 3e-5, 40
# Cosines are divided by it (Chen et al., "SimCLR", 2020).
TEMPERATURE = 0.05

# A chunk's number, and that of a unit in it.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TokenizedChunk:
    """Hold the tokens of a chunk, and which of them each unit has; None for one behind the end."""

    tokens: list[int]
    units: list[tuple[int, int] | None]


@dataclass
class TokenizedBook:
    """Hold the chunks of a book and the questions of each, with the last vectors of what a step has seen.

    A question is its tokens and the places that answer it.
    """

    chunks: list[TokenizedChunk]
    questions: dict[int, list[tuple[list[int], set[Place]]]]
    seen: dict[int, tuple[torch.Tensor, torch.Tensor, list[Place]]] = field(default_factory=dict)


class EmbeddingNetwork(Encoder):
    """Give the last states of texts, of shape (texts, tokens, width)."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the states of texts of one length, as the service asks for them."""
        return self.states(ids, torch.ones_like(ids), torch.zeros_like(ids))


def main() -> int:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", nargs="*", default=[], help="books to leave out, to measure on them")
    parser.add_argument("--passes", type=int, default=2)
    given = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    model = EmbeddingNetwork()
    model.begin_from(given.weights)
    model.freeze_below(FROZEN_LAYERS)
    tokenizer = load_tokenizer()
    rows = list(_rows(given.books))
    if unknown := set(given.without) - {row["name"] for row in rows}:
        parser.error(f"{given.books} has no book named {', '.join(sorted(unknown))}.")
    books = [read_book(row, tokenizer) for row in rows if row["name"] not in given.without]
    train(model, books, given.passes)
    export(model, given.out)
    return 0


def read_book(row: dict[str, Any], tokenizer: Tokenizer) -> TokenizedBook:
    """Return a book of BOOKS with its tokens."""
    chunks = [_chunk(chunk, tokenizer) for chunk in row["chunks"]]
    questions: dict[int, list[tuple[list[int], set[Place]]]] = {}
    for one in row["questions"]:
        places = [(chunk, unit) for chunk, unit in one["places"] if chunks[chunk].units[unit] is not None]
        if places:
            tokens = tokenizer.encode(one["question"]).ids
            questions.setdefault(places[0][0], []).append((tokens, set(places)))
    return TokenizedBook(chunks, questions)


def train(model: EmbeddingNetwork, books: Sequence[TokenizedBook], passes: int) -> None:
    """Go through all chunks that have questions so many times; the rate falls to a fiftieth."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    steps = [step for _ in range(passes) for step in _one_pass(books)]
    loss = math.nan
    for number, (book, numbers) in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (number + 1) / WARM_UP) * max(0.02, 1 - number / len(steps))
        found = _loss(model, book, numbers)
        optimizer.zero_grad()
        found.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        loss = found.item() if math.isnan(loss) else loss + 0.03 * (found.item() - loss)
        if number % 20 == 19:
            print(f"step {number + 1} of {len(steps)}: loss {loss:.3f}", flush=True)


def export(model: EmbeddingNetwork, out: Path) -> None:
    """Write the model with int8 weights; its input is the tokens' ids, its output the states."""
    write_int8(model, {"input_ids": torch.randint(1000, 2000, (1, 20))}, "states", out)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _chunk(row: dict[str, Any], tokenizer: Tokenizer) -> TokenizedChunk:
    tokenizer.enable_truncation(LONGEST_TOKENS)
    encoding = tokenizer.encode(row["text"])
    tokenizer.no_truncation()
    units: list[tuple[int, int] | None] = []
    for first, last in row["spans"]:
        within = [
            number
            for number, (start, end) in enumerate(encoding.offsets)
            if end > start and start < last and end > first
        ]
        units.append((within[0], within[-1] + 1) if within else None)
    return TokenizedChunk(encoding.ids, units)


def _one_pass(books: Sequence[TokenizedBook]) -> list[tuple[TokenizedBook, list[int]]]:
    """Return steps in a new order, each a book and the numbers of some of its chunks."""
    steps = []
    for book in books:
        numbers = sorted(book.questions)
        runs = [numbers[at : at + RUN] for at in range(0, len(numbers), RUN)]
        random.shuffle(runs)
        for at in range(0, len(runs), RUNS_A_STEP):
            steps.append((book, [number for run in runs[at : at + RUNS_A_STEP] for number in run]))
    random.shuffle(steps)
    return steps


def _loss(model: EmbeddingNetwork, book: TokenizedBook, numbers: Sequence[int]) -> torch.Tensor:
    """Return how badly questions tell their chunks from the others, and their sentences from all others."""
    states, chunks = _embedded(model, [book.chunks[number].tokens for number in numbers])
    now = {}
    for row, number in enumerate(numbers):
        units = [(index, span) for index, span in enumerate(book.chunks[number].units) if span is not None]
        means = [states[row, first:last].mean(0) for _, (first, last) in units]
        sentences = functional.normalize(torch.stack(means), dim=1) if means else states[row, :0]
        now[number] = (chunks[row], sentences, [(number, index) for index, _ in units])
    asked = [
        one
        for number in numbers
        for one in random.sample(book.questions[number], min(QUESTIONS_A_CHUNK, len(book.questions[number])))
    ]
    _, questions = _embedded(model, [tokens for tokens, _ in asked])
    shown = book.seen | now
    of_chunks = questions @ torch.stack([vector for vector, _, _ in shown.values()]).T / TEMPERATURE
    of_units = questions @ torch.cat([vectors for _, vectors, _ in shown.values()]).T / TEMPERATURE
    places = [place for _, _, held in shown.values() for place in held]
    right_chunks = torch.tensor(
        [[number in {chunk for chunk, _ in right} for number in shown] for _, right in asked]
    )
    right_units = torch.tensor([[place in right for place in places] for _, right in asked])
    for number, (vector, vectors, held) in now.items():
        book.seen[number] = (vector.detach(), vectors.detach(), held)
    return _missed(of_chunks, right_chunks) + _missed(of_units, right_units)


def _missed(scores: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-probability of the right ones together; each row has one at least."""
    chosen = torch.logsumexp(scores.masked_fill(~right, -1e9), 1)
    return (torch.logsumexp(scores, 1) - chosen).mean()


def _embedded(model: EmbeddingNetwork, texts: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the states of texts, and the vector of each."""
    ids, mask = padded(texts)
    states = model.states(ids, mask, torch.zeros_like(ids))
    return states, functional.normalize(mean_of(states, mask), dim=1)


if __name__ == "__main__":
    raise SystemExit(main())
