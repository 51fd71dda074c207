# SPDX-License-Identifier: Apache-2.0
"""Zero-shot classification: which class's texts lie nearest to a vector.

A class's prototype is the mean of its prompts' text embeddings, normalised. A vector's score for a
class is softmax(cosine / temperature) over the classes: how the classes share it, not how likely
it is that any of them is right.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind.bundle import Bundle

DEFAULT_TEMPERATURE = 0.07
"""Where InfoNCE training customarily starts (Wu et al., CVPR 2018; CLIP)."""

_SMALLEST_NORM = 1e-6


class ZeroShot:
    """Prototypes of some classes in a bundle's space.

    Attributes:
        labels: class names, in the order of the scores.
        prototypes: float32 (classes, dim), rows of norm 1.
        temperature: divides the cosines; smaller is sharper.
        prompts_sha256: identity of the classes and their prompts.
    """

    def __init__(
        self,
        bundle: Bundle,
        classes: Mapping[str, Sequence[str]],
        *,
        temperature: float = DEFAULT_TEMPERATURE,
    ) -> None:
        """Embed the prompts of `classes` (name to texts) with the bundle's text encoder.

        Raises:
            InputError: for fewer than two classes, a class without prompts, an empty prompt, or a
                temperature that is not finite and above 0.
            BundleError: if the bundle has no text encoder.
        """
        if not 0 < temperature < math.inf:
            raise InputError(f"temperature is {temperature}, expected a finite number above 0")
        if len(classes) < 2:
            raise InputError(
                f"zero-shot compares classes, {len(classes)} were given ({', '.join(classes)}); "
                "give at least two, for example what it is and what it is not"
            )
        self.labels = tuple(classes)
        self.temperature = temperature
        self.prompts_sha256 = prompts_sha256(classes)
        rows = [_prototype(bundle, label, prompts) for label, prompts in classes.items()]
        self.prototypes: NDArray[np.float32] = np.stack(rows).astype(np.float32)

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Share of each class in each vector.

        Args:
            vectors: unit vectors (n, dim), or one (dim,), of the bundle's space.

        Returns:
            float32 (n, classes), rows of sum 1; for one vector (classes,).

        Raises:
            InputError: if the vectors have another dimension.
        """
        return self.shares(self.cosines(vectors))

    def cosines(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Cosine of each vector with each class's prototype.

        Args:
            vectors: unit vectors (n, dim), or one (dim,), of the bundle's space.

        Returns:
            float64 (n, classes); for one vector (classes,).

        Raises:
            InputError: if the vectors have another dimension.
        """
        vectors = np.asarray(vectors)
        dim = self.prototypes.shape[1]
        if vectors.ndim not in (1, 2) or vectors.shape[-1] != dim:
            raise InputError(f"vectors have shape {vectors.shape}, expected (n, {dim}) or ({dim},)")
        cosines: NDArray[np.float64] = vectors.astype(np.float64) @ self.prototypes.T.astype(
            np.float64
        )
        return cosines

    def shares(
        self, cosines: NDArray[np.float64], temperature: float | None = None
    ) -> NDArray[np.float32]:
        """softmax(cosine / temperature) over the classes, float32 like `cosines` (…, classes).

        The temperature is that of the classes if None.
        """
        logits = cosines / (self.temperature if temperature is None else temperature)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares: NDArray[np.float32] = (weights / weights.sum(axis=-1, keepdims=True)).astype(
            np.float32
        )
        return shares

    def best(self, vector: NDArray[np.float32]) -> tuple[str, float]:
        """The nearest class of one vector (dim,) and its score.

        Raises:
            InputError: if the vector has another shape.
        """
        if np.ndim(vector) != 1:
            raise InputError(f"best takes one vector (dim,), got shape {np.shape(vector)}")
        scores = self.scores(vector)
        index = int(scores.argmax())
        return self.labels[index], float(scores[index])


def _prototype(bundle: Bundle, label: str, prompts: Sequence[str]) -> NDArray[np.float64]:
    if isinstance(prompts, str) or not prompts:
        raise InputError(f"class {label!r} has prompts {prompts!r}, expected a list of texts")
    mean = bundle.encode_text(list(prompts)).astype(np.float64).mean(axis=0)
    norm = np.linalg.norm(mean)
    if norm < _SMALLEST_NORM:
        raise InputError(f"the prompts of class {label!r} cancel each other out; change them")
    prototype: NDArray[np.float64] = mean / norm
    return prototype


def prompts_sha256(classes: Mapping[str, Sequence[str]]) -> str:
    """Identity of a set of classes and their prompts, in their order: what scores hang on."""
    listed = [[label, list(prompts)] for label, prompts in classes.items()]
    return hashlib.sha256(json.dumps(listed, ensure_ascii=False).encode()).hexdigest()


def parse_prompts(text: str) -> dict[str, list[str]]:
    """Read classes and their prompts as users give them.

    Args:
        text: "a,b,c": each name is its own prompt; or a file: `.json` with {class: [prompts]} or
            [names], `.toml` with class = [prompts], `.txt` with one "class: prompt; prompt" or
            one name per line (# starts a comment line).

    Returns:
        prompts by class, in the order given.

    Raises:
        InputError: naming the file, and the line where there is one, and what was expected.
    """
    path = Path(text)
    reader = _READERS.get(path.suffix.lower())
    if reader is None and "," not in text and _is_file(path):
        raise InputError(f"{path} is no prompt file; expected {', '.join(_READERS)}")
    if reader is None:
        return _named([name.strip() for name in text.split(",")], "the prompts")
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"cannot read the prompts in {path}: {reason}; expected a text file in UTF-8"
        ) from None
    return reader(content, path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text too long for a name, or with a null character
        return False


def _named(names: Sequence[object], where: str) -> dict[str, list[str]]:
    """Classes whose name is their one prompt."""
    classes: dict[str, list[str]] = {}
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{where}: {name!r} is not a class name; give texts such as 'a cat'")
        if name in classes:
            raise InputError(f"{where}: class {name!r} is given twice")
        classes[name] = [name]
    return classes


def _from_json(content: str, path: Path) -> dict[str, list[str]]:
    try:
        value = json.loads(content, object_pairs_hook=lambda pairs: _unique(pairs, path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    if isinstance(value, list):
        return _named(value, str(path))
    return _checked(value, path)


def _from_toml(content: str, path: Path) -> dict[str, list[str]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return _checked(tomllib.loads(content), path)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not TOML: {error}") from None


def _from_lines(content: str, path: Path) -> dict[str, list[str]]:
    classes: dict[str, list[str]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        label, colon, rest = (part.strip() for part in line.partition(":"))
        prompts = [p.strip() for p in rest.split(";") if p.strip()] if colon else [label]
        where = f"{path}, line {number}"
        if not label or not prompts:
            raise InputError(f"{where}: {line.strip()!r}, expected 'class: prompt; prompt'")
        if label in classes:
            raise InputError(f"{where}: class {label!r} is given twice")
        classes[label] = prompts
    if not classes:
        raise InputError(f"{path} has no prompts; write 'class: prompt; prompt' lines")
    return classes


_READERS = {".json": _from_json, ".toml": _from_toml, ".txt": _from_lines}


def _unique(pairs: list[tuple[str, object]], path: Path) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        labels = [label for label, _ in pairs]
        twice = next(label for label in labels if labels.count(label) > 1)
        raise InputError(f"{path}: class {twice!r} is given twice")
    return found


def _checked(value: object, path: Path) -> dict[str, list[str]]:
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path} holds {value!r}, expected {{class: [prompt, …]}}")
    for label, prompts in value.items():
        texts = prompts if isinstance(prompts, list) and prompts else [None]
        if not label.strip() or not all(isinstance(t, str) and t.strip() for t in texts):
            raise InputError(f"{path}: class {label!r} has {prompts!r}, expected a list of texts")
    return dict(value)
