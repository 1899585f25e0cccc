"""Train the cross-encoder of answers without a model, and write it for ONNX Runtime with int8 weights.

usage: python -m bench.cross_encoder.train DATA WEIGHTS OUT.onnx [--books BOOKS.jsonl] [--minutes 45]

DATA is the folder of public question sets, WEIGHTS the `model.safetensors` of all-MiniLM-L6-v2, BOOKS what
`bench.cross_encoder.book_examples` wrote. bench/README.md names the files and the packages it needs.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as functional
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import nn

from bench.cross_encoder.examples import Example, read_examples
from bench.cross_encoder.network import CrossEncoder

# Nothing of ragbot is imported: its packages and those of the training need not fit each other.
TOKENIZER = Path(__file__).parents[2] / "ragbot" / "providers" / "data" / "minilm" / "tokenizer.json"
LONGEST_TOKENS = 88
QUESTIONS_A_STEP = 16
FROZEN_LAYERS = 2
RATE, HEAD_RATE, BOOKS_RATE = 8e-5, 8e-4, 3e-5
BOOKS_PASSES, BOOKS_A_STEP, OTHERS_A_STEP = 3, 6, 4
LONGEST_TEXT = 320

# The tokens of a question and a text, and which of the two each belongs to. The first of a group is right.
Tokens = tuple[list[int], list[int]]
Group = list[Tokens]


def main() -> int:
    """Train on the public sets, then on the books' own questions, and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--books", type=Path)
    parser.add_argument(
        "--minutes", type=float, default=45.0, help="for the public sets; the rate falls to 0"
    )
    given = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    model = CrossEncoder()
    model.begin_from(given.weights)
    model.freeze_below(FROZEN_LAYERS)
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.enable_truncation(LONGEST_TOKENS)
    examples = read_examples(given.data)
    placed = [example for example in examples if example.place]
    train_on_all(model, [tokens_of(tokenizer, example) for example in examples], given.minutes)
    if given.books:
        books = [_book_example(line) for line in given.books.read_text(encoding="utf-8").splitlines()]
        train_on_books(
            model,
            [tokens_of(tokenizer, example, places=1.0) for example in books],
            [tokens_of(tokenizer, example, places=1.0) for example in placed],
        )
    export(model, given.out)
    return 0


def tokens_of(tokenizer: Tokenizer, example: Example, places: float = 0.5) -> Group:
    """Return the tokens of an example; its place stands before the texts in a share of examples."""
    place = f"{example.place}: " if example.place and random.random() < places else ""
    pairs = [
        tokenizer.encode(example.question, place + text[:LONGEST_TEXT])
        for text in (example.right, *example.wrong)
    ]
    return [(pair.ids, pair.type_ids) for pair in pairs]


def train_on_all(model: CrossEncoder, groups: Sequence[Group], minutes: float) -> None:
    """Go through the groups once, or until the minutes are over. Groups of one length go together."""
    heads = list(model.head.parameters())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    known = {id(parameter) for parameter in heads}
    body = [parameter for parameter in trained if id(parameter) not in known]
    optimizer = torch.optim.AdamW([{"params": body}, {"params": heads}], lr=RATE, weight_decay=0.01)
    by_length = sorted(groups, key=lambda group: max(len(ids) for ids, _ in group) + random.random() * 12)
    steps = [by_length[at : at + QUESTIONS_A_STEP] for at in range(0, len(by_length), QUESTIONS_A_STEP)]
    random.shuffle(steps)
    began, first = time.monotonic(), 0.33
    for number, step in enumerate(steps):
        done = max(number / len(steps), (time.monotonic() - began) / 60 / minutes)
        if done >= 1:
            break
        share = min(1.0, (number + 1) / 80) * max(0.02, 1 - done)
        for group, rate in zip(optimizer.param_groups, (RATE, HEAD_RATE), strict=True):
            group["lr"] = rate * share
        first += 0.03 * (_step(model, optimizer, [group[:3] for group in step]) - first)
        if number % 100 == 99:
            print(f"step {number + 1} of {len(steps)}: right first {first:.2f}", flush=True)


def train_on_books(model: CrossEncoder, books: Sequence[Group], others: Sequence[Group]) -> None:
    """Go through the books' questions a few times, with others beside them so that nothing is forgotten."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=BOOKS_RATE, weight_decay=0.01)
    steps = len(books) * BOOKS_PASSES // BOOKS_A_STEP
    own, beside = _endless(books), _endless(others)
    for number in range(steps):
        share = min(1.0, (number + 1) / 10) * max(0.05, 1 - number / steps)
        optimizer.param_groups[0]["lr"] = BOOKS_RATE * share
        step = [next(own) for _ in range(BOOKS_A_STEP)] + [next(beside) for _ in range(OTHERS_A_STEP)]
        first = _step(model, optimizer, step)
        if number % 20 == 19:
            print(f"step {number + 1} of {steps}: right first {first:.2f}", flush=True)


class Unpadded(nn.Module):
    """Score one text at a time, which needs no mask."""

    def __init__(self, model: CrossEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return log-odds, one for each text, from two arrays of shape (texts, tokens)."""
        return self.model(ids, torch.ones_like(ids), kinds)


def export(model: CrossEncoder, out: Path) -> None:
    """Write the model with int8 weights (one scale a channel); its inputs are ids and kinds of tokens."""

    model.eval()
    ids = torch.randint(1000, 2000, (1, 20))
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "model.onnx"
        torch.onnx.export(
            Unpadded(model),
            (ids, torch.zeros_like(ids)),
            str(whole),
            input_names=["input_ids", "token_type_ids"],
            output_names=["score"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in ("input_ids", "token_type_ids")},
            opset_version=14,
        )
        quantize_dynamic(whole, out, weight_type=QuantType.QInt8, per_channel=True)


def _step(model: CrossEncoder, optimizer: torch.optim.Optimizer, groups: Sequence[Group]) -> float:
    """Learn from some groups; return the share in which the right text has the highest score.

    The loss is that of a choice in each group (listwise softmax), and half of that of each text alone, so
    that scores of different questions can be compared.
    """
    scores = torch.split(
        model(*_padded([one for group in groups for one in group])), [len(g) for g in groups]
    )
    loss = torch.zeros(())
    for one in scores:
        right = torch.zeros(len(one))
        right[0] = 1.0
        loss = loss + functional.cross_entropy(one[None], torch.zeros(1, dtype=torch.long))
        loss = loss + 0.5 * functional.binary_cross_entropy_with_logits(one, right)
    optimizer.zero_grad()
    (loss / len(groups)).backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    return sum(int(one.argmax()) == 0 for one in scores) / len(groups)


def _padded(texts: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    longest = max(len(ids) for ids, _ in texts)
    ids, kinds = (torch.zeros(len(texts), longest, dtype=torch.long) for _ in range(2))
    mask = torch.zeros(len(texts), longest)
    for row, (own, kind) in enumerate(texts):
        ids[row, : len(own)], kinds[row, : len(own)] = torch.tensor(own), torch.tensor(kind)
        mask[row, : len(own)] = 1
    return ids, mask, kinds


def _endless(groups: Sequence[Group]) -> Iterator[Group]:
    while True:
        yield from random.sample(groups, len(groups))


def _book_example(line: str) -> Example:
    row = json.loads(line)
    return Example(row["question"], row["place"], row["right"], tuple(row["wrong"]))


if __name__ == "__main__":
    raise SystemExit(main())
