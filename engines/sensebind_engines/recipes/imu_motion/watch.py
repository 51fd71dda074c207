# SPDX-License-Identifier: Apache-2.0
"""The recipe `imu-watch`: real motion to evaluate on, never to train on and never shipped.

Seven shoulder exercises of 10 subjects with a watch at the wrist, 50 Hz, 140 series, 81 minutes
(Burns et al. 2018, arXiv:1802.01489), as seglearn 1.2.5 contains them: users take it from the
package themselves. The package is BSD; its authors state no separate terms of the data.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sensebind.errors import SourceError
from sensebind.storage import atomic_path, sha256_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PACKAGE = "seglearn==1.2.5"
SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
RATE_HZ = 50

EXERCISES: dict[str, tuple[str, tuple[str, ...]]] = {
    "PEN": ("pendulum", ("an arm hanging down and swinging like a pendulum",)),
    "ABD": ("abduction", ("an arm raised sideways and lowered again",)),
    "FEL": ("forward elevation", ("an arm raised forwards and lowered again",)),
    "IR": ("internal rotation", ("a forearm turned inwards against a band",)),
    "ER": ("external rotation", ("a forearm turned outwards against a band",)),
    "TRAP": ("trapezius extension", ("an arm pulled back while bending over",)),
    "ROW": ("upright row", ("a hand pulled up along the body to the chin",)),
}
"""Class and prompts by the data set's label."""


def build(out: Path, cache: Path, *, seed: int = 0) -> Path:
    """Write the series as IMU files, with a manifest and prompts for `sensebind evaluate`.

    Args:
        out: folder for `manifest.jsonl`, `prompts.json` and the series.
        cache: not used.
        seed: nothing is drawn.

    Raises:
        SourceError: seglearn is not installed, or its file is another one.
    """
    del cache, seed
    return build_from(_find(), out)


def build_from(path: Path, out: Path) -> Path:
    """Build from the data set's file; see `build`.

    Raises:
        SourceError: it is not the file of the stated hash, which is checked before it is unpickled.
    """
    found = sha256_of_file(path)
    if found != SHA256:
        raise SourceError(f"{path} has the SHA-256 {found}, expected {SHA256}; install {PACKAGE}")
    (out / "series").mkdir(parents=True, exist_ok=True)
    content = np.load(path, allow_pickle=True).item()
    rows = list(_rows(content, out))
    prompts = dict(EXERCISES.values())
    _write(out / "prompts.json", msgspec.json.format(msgspec.json.encode({"imu": prompts})))
    _write(out / "manifest.jsonl", b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    return out


def _find() -> Path:
    spec = importlib.util.find_spec("seglearn")
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            "the data of the recipe 'imu-watch' are in a package that is not installed; "
            f"pip install --no-deps {PACKAGE}"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "watch_dataset.npy"


def _rows(content: dict[str, Any], out: Path) -> Iterator[dict[str, object]]:
    series = zip(content["X"], content["y"], content["subject"], strict=True)
    for number, (samples, label, subject) in enumerate(series):
        name = f"series/{number:03d}.npz"
        _write_series(out / name, samples)
        yield {
            "imu": {"file": name, "unit": "g"},
            "label": EXERCISES[content["y_labels"][int(label)]][0],
            "group": f"subject {int(subject)}",
            "split": "test",
        }


def _write_series(path: Path, samples: NDArray[np.float64]) -> None:
    """Stamps at the stated rate, readings as they are: g and rad/s."""
    t_ns = np.arange(len(samples), dtype=np.int64) * (1_000_000_000 // RATE_HZ)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, t_ns=t_ns, values=samples.astype(np.float32))


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
