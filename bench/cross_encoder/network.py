"""Build BERT in PyTorch, alone and with a head that scores a question and a text, on all-MiniLM-L6-v2."""

from __future__ import annotations

import json
import math
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import nn

# Nothing of ragbot is imported: its packages and those of the training need not fit each other.
TOKENIZER = Path(__file__).parents[2] / "ragbot" / "providers" / "data" / "minilm" / "tokenizer.json"

LAYERS, WIDTH, HEADS, INNER, VOCABULARY, PLACES = 6, 384, 12, 1536, 30522, 512
# Added to the attention of what only fills a batch.
_MASKED = -1e4
_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "joined": "attention.output.dense",
    "first_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "second_norm": "output.LayerNorm",
}


class Layer(nn.Module):
    """Apply attention and a feed-forward network, each with its norm behind it (Vaswani et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.joined = nn.Linear(WIDTH, WIDTH)
        self.inner, self.outer = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.first_norm, self.second_norm = (nn.LayerNorm(WIDTH, eps=1e-12) for _ in range(2))

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the next states, of shape (texts, tokens, WIDTH)."""
        texts, tokens, _ = states.shape

        def by_head(values: torch.Tensor) -> torch.Tensor:
            return values.view(texts, tokens, HEADS, WIDTH // HEADS).transpose(1, 2)

        query, key, value = (by_head(part(states)) for part in (self.query, self.key, self.value))
        attention = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + mask, -1)
        mixed = (attention @ value).transpose(1, 2).reshape(texts, tokens, WIDTH)
        states = self.first_norm(states + self.joined(mixed))
        return self.second_norm(states + self.outer(functional.gelu(self.inner(states))))


class Encoder(nn.Module):
    """Give the last states of texts (BERT, Devlin et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(PLACES, WIDTH)
        self.kinds = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def states(self, ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return states of shape (texts, tokens, WIDTH) from three arrays of shape (texts, tokens)."""
        states = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]] + self.kinds(kinds))
        shown = mask.to(states.dtype)
        for layer in self.layers:
            states = layer(states, (1.0 - shown[:, None, None, :]) * _MASKED)
        return states

    def begin_from(self, weights: Path) -> None:
        """Take over the weights of a BERT of this size from a file in the format of safetensors."""
        given = _tensors(weights)
        target: dict[str, nn.Module] = {
            "embeddings.word_embeddings": self.words,
            "embeddings.position_embeddings": self.places,
            "embeddings.token_type_embeddings": self.kinds,
            "embeddings.LayerNorm": self.norm,
        }
        for number, layer in enumerate(self.layers):
            for name, path in _PARTS.items():
                target[f"encoder.layer.{number}.{path}"] = getattr(layer, name)
        for path, module in target.items():
            for name, parameter in module.named_parameters():
                parameter.data = given[f"{path}.{name}"]

    def freeze_below(self, layers: int) -> None:
        """Leave the embeddings and the first layers as they are: they change little, and cost a third."""
        for module in (self.words, self.places, *list(self.layers)[:layers]):
            for parameter in module.parameters():
                parameter.requires_grad = False


class CrossEncoder(Encoder):
    """Score questions with texts; the score comes from the first state and the mean of all."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2 * WIDTH, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return log-odds, one for each text, from three arrays of shape (texts, tokens)."""
        states = self.states(ids, mask, kinds)
        return self.head(torch.cat([states[:, 0], mean_of(states, mask)], 1))[:, 0]


def load_tokenizer() -> Tokenizer:
    """Return the service's tokenizer, without the padding to 128 tokens that its file asks for."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.no_padding()
    return tokenizer


def padded(texts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return numbers of tokens as an array of shape (texts, tokens), and the mask of those that are there."""
    longest = max(map(len, texts))
    ids, mask = torch.zeros(len(texts), longest, dtype=torch.long), torch.zeros(len(texts), longest)
    for row, own in enumerate(texts):
        ids[row, : len(own)], mask[row, : len(own)] = torch.tensor(own), 1
    return ids, mask


def mean_of(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of each text's states, of shape (texts, WIDTH)."""
    shown = mask.to(states.dtype)[:, :, None]
    return (states * shown).sum(1) / shown.sum(1)


def write_int8(model: nn.Module, inputs: Mapping[str, torch.Tensor], output: str, out: Path) -> None:
    """Write a model for ONNX Runtime with int8 weights, one scale a channel.

    `inputs` are examples by name, of shape (texts, tokens), of which both may vary.
    """
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(whole),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in inputs},
            opset_version=14,
        )
        quantize_dynamic(whole, out, weight_type=QuantType.QInt8, per_channel=True)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a file of safetensors: the length of a JSON head, the head, and the numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head: dict[str, Any] = json.loads(data[8 : 8 + length])
    found = {}
    for name, about in head.items():
        if name != "__metadata__" and about["dtype"] == "F32":
            start, end = (8 + length + offset for offset in about["data_offsets"])
            numbers = np.frombuffer(data[start:end], np.float32).reshape(about["shape"])
            found[name] = torch.from_numpy(numbers.copy())
    return found
