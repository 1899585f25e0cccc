"""Train the cross-encoder of answers without a model, and write it for ONNX Runtime with int8 weights.

usage: python -m bench.cross_encoder.train DATA WEIGHTS OUT.onnx [--books BOOKS.jsonl] [--minutes 45]

DATA is the folder of public question sets, WEIGHTS the `model.safetensors` of all-MiniLM-L6-v2, BOOKS what
`bench.cross_encoder.book_examples` wrote. bench/README.md names the files and the packages it needs.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as functional
from tokenizers import Tokenizer
from torch import nn

from bench.cross_encoder.examples import Example, read_book_examples, read_examples
from bench.cross_encoder.network import CrossEncoder, load_tokenizer, padded, write_int8

LONGEST_TOKENS = 88
LONGEST_TEXT = 320
FROZEN_LAYERS = 2
# Of the public sets two wrong texts go with a right one, of the books five: the best three, and two others.
PUBLIC_WRONG, BOOKS_WRONG, BEST_WRONG = 2, 5, 3
PUBLIC_A_STEP, BOOKS_A_STEP = 16, 12
PUBLIC_RATE, HEAD_RATE, BOOKS_RATE = 8e-5, 8e-4, 5e-5
BOOKS_PASSES = 1.2
# The weights are on the way from those before the books to those after them ("WiSE-FT", Wortsman et al.,
# 2022): on questions of other writers better than either.
BOOKS_SHARE = 0.75
# So often the best of a question's right texts is the one that is learnt.
SHARE_OF_BEST = 0.6

# The tokens of a question and a text, and which of the two each belongs to.
Tokens = tuple[list[int], list[int]]


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the texts of a question; the first is right, if one is."""

    texts: list[Tokens]
    has_right: bool

    def longest(self) -> int:
        """Return the most tokens of a text."""
        return max(len(ids) for ids, _ in self.texts)


def main() -> int:
    """Train on the public sets, then on the questions about books, and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--books", type=Path)
    parser.add_argument(
        "--minutes",
        type=float,
        default=45.0,
        help="for the public sets, and for the books; the rate falls to 0",
    )
    given = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    model = CrossEncoder()
    model.begin_from(given.weights)
    model.freeze_below(FROZEN_LAYERS)
    tokenizer = load_tokenizer()
    tokenizer.enable_truncation(LONGEST_TOKENS)
    public = [tokens_of(tokenizer, example, PUBLIC_WRONG) for example in read_examples(given.data)]
    train(model, public, given.minutes, a_step=PUBLIC_A_STEP, rate=PUBLIC_RATE, head_rate=HEAD_RATE)
    if given.books:
        examples = read_book_examples(given.books)
        passes = [examples, random.sample(examples, int((BOOKS_PASSES - 1) * len(examples)))]
        books = [tokens_of(tokenizer, example, BOOKS_WRONG) for one in passes for example in one]
        before = {name: value.clone() for name, value in model.state_dict().items()}
        train(model, books, given.minutes, a_step=BOOKS_A_STEP, rate=BOOKS_RATE, head_rate=BOOKS_RATE)
        after = model.state_dict()
        model.load_state_dict({name: before[name].lerp(after[name], BOOKS_SHARE) for name in before})
    export(model, given.out)
    return 0


def tokens_of(tokenizer: Tokenizer, example: Example, wrong: int) -> Group:
    """Return the tokens of a question with a right text and wrong ones; without one, with a wrong one more.

    The place stands before the texts in half of the examples that have one.
    """
    place = f"{example.place}: " if example.place and random.random() < 0.5 else ""
    texts = list(example.right[:1])
    if random.random() > SHARE_OF_BEST and example.right:
        texts = [random.choice(example.right)]
    best, others = example.wrong[:BEST_WRONG], example.wrong[BEST_WRONG:]
    wanted = wrong + 1 - len(texts)
    texts += [*best, *random.sample(others, min(len(others), max(wanted - len(best), 0)))][:wanted]
    pairs = [tokenizer.encode(example.question, place + text[:LONGEST_TEXT]) for text in texts]
    return Group([(pair.ids, pair.type_ids) for pair in pairs], bool(example.right))


def train(
    model: CrossEncoder,
    groups: Sequence[Group],
    minutes: float,
    *,
    a_step: int,
    rate: float,
    head_rate: float,
) -> None:
    """Go through the groups once, or until the minutes are over. Groups of one length go together."""
    heads = list(model.head.parameters())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    known = {id(parameter) for parameter in heads}
    body = [parameter for parameter in trained if id(parameter) not in known]
    optimizer = torch.optim.AdamW([{"params": body}, {"params": heads}], lr=rate, weight_decay=0.01)
    by_length = sorted(groups, key=lambda group: group.longest() + random.random() * 12)
    steps = [by_length[at : at + a_step] for at in range(0, len(by_length), a_step)]
    random.shuffle(steps)
    began, first = time.monotonic(), 0.33
    for number, step in enumerate(steps):
        done = max(number / len(steps), (time.monotonic() - began) / 60 / minutes)
        if done >= 1:
            break
        share = min(1.0, (number + 1) / 80) * max(0.02, 1 - done)
        for group, whole in zip(optimizer.param_groups, (rate, head_rate), strict=True):
            group["lr"] = whole * share
        first += 0.03 * (_step(model, optimizer, step) - first)
        if number % 100 == 99:
            print(f"step {number + 1} of {len(steps)}: right first {first:.2f}", flush=True)


class Unpadded(nn.Module):
    """Score one text at a time, which needs no mask."""

    def __init__(self, model: CrossEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return log-odds, one for each text, from two arrays of shape (texts, tokens)."""
        return self.model(ids, torch.ones_like(ids), kinds)


def export(model: CrossEncoder, out: Path) -> None:
    """Write the model with int8 weights; its inputs are ids and kinds of tokens."""
    ids = torch.randint(1000, 2000, (1, 20))
    write_int8(Unpadded(model), {"input_ids": ids, "token_type_ids": torch.zeros_like(ids)}, "score", out)


def _step(model: CrossEncoder, optimizer: torch.optim.Optimizer, groups: Sequence[Group]) -> float:
    """Learn from some groups; return the share in which the right text has the highest score.

    The loss is that of a choice in each group (listwise softmax), and half of that of each text alone, so
    that scores of different questions can be compared. A group without a right text has the latter only.
    """
    scores = torch.split(
        model(*_padded([one for group in groups for one in group.texts])), [len(g.texts) for g in groups]
    )
    loss = torch.zeros(())
    for one, group in zip(scores, groups, strict=True):
        right = torch.zeros(len(one))
        if group.has_right:
            right[0] = 1.0
            loss = loss + functional.cross_entropy(one[None], torch.zeros(1, dtype=torch.long))
        loss = loss + 0.5 * functional.binary_cross_entropy_with_logits(one, right)
    optimizer.zero_grad()
    (loss / len(groups)).backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    chosen = [int(one.argmax()) == 0 for one, group in zip(scores, groups, strict=True) if group.has_right]
    return sum(chosen) / max(len(chosen), 1)


def _padded(texts: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ids, mask = padded([own for own, _ in texts])
    kinds, _ = padded([kinds for _, kinds in texts])
    return ids, mask, kinds


if __name__ == "__main__":
    raise SystemExit(main())
