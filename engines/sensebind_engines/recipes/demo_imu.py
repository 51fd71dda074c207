# SPDX-License-Identifier: Apache-2.0
"""The recipe `demo-imu`: the whole demo bundle, with vision and text frozen and IMU trained."""

from __future__ import annotations

import importlib.metadata
import json
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import BundleError, InputError
from sensebind.manifest import EdgeSpec, FileSpec, Manifest, encode_manifest
from sensebind.storage import sha256_of_file
from sensebind.types import Modality
from sensebind_engines.export.check import largest_difference, run_graph, run_module, write_graph
from sensebind_engines.export.onnx_export import export_onnx
from sensebind_engines.models import minilm
from sensebind_engines.recipes import imu_evaluation as evaluation
from sensebind_engines.recipes.anchor import LARGEST_DIFFERENCE, build_anchor
from sensebind_engines.recipes.imu_encoder import (
    BATCH,
    IMU,
    IMU_PREPROCESS,
    SCHEDULE,
    Prompts,
    TrainedImu,
    embed_windows,
    load_prompts,
    train_imu_encoder,
)
from sensebind_engines.recipes.imu_report import evaluation_text
from sensebind_engines.recipes.simulation.dataset import load_episodes
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.windows import make_windows
from sensebind_engines.training.loop import deterministic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind_engines.models.imu_conv import ImuConv
    from sensebind_engines.recipes.anchor import AnchorFiles
    from sensebind_engines.recipes.imu_evaluation import EmbedTexts, Figures
    from sensebind_engines.recipes.simulation.dataset import EpisodeSet
    from sensebind_engines.recipes.simulation.windows import WindowSet

SEEDS = 3
"""Encoders trained for the figures; the first is shipped."""

LICENCE = "Apache-2.0 AND MIT"
_NOTICE = """\
imu.onnx, golden.npz, prompts.json and EVALUATION.md are SenseBind's own (Apache-2.0): the encoder
was trained on episodes that SenseBind simulated with MuJoCo, bound to all-MiniLM-L6-v2's texts.
What vision.onnx, text.onnx and tokenizer.json are made from is told in NOTICE-anchor.txt.
"""
_BATCHES = (1, 3, 8)
_PACKAGES = ("torch", "mujoco", "numpy", "scipy", "numba", "onnx", "onnxscript", "onnxruntime")


def build(out: Path, cache: Path, *, seed: int = 0) -> Path:
    """Build the demo bundle into the folder `out`; takes minutes.

    The same packages on the same machine give the same bytes.

    Args:
        out: a new or empty folder.
        cache: folder for the simulated episodes; they are made once.
        seed: of the first trained encoder, the one that is shipped, and of the episodes.

    Returns:
        `out`.

    Raises:
        InputError: `out` is not empty.
        MissingExtraError: a package with weights is not installed.
        BundleError: a graph breaks the bundle's contract or differs from its torch module.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise InputError(f"{out} is not empty; give a new folder, or empty it")
    anchor = build_anchor(out)
    prompts = load_prompts()
    episodes = load_episodes(cache, seed)
    windows = make_windows(episodes, IMU_PREPROCESS)
    trained = _train_all(windows, prompts, range(seed, seed + SEEDS))
    shipped = trained[seed]
    with deterministic():
        figures = _measure(trained, windows, episodes, prompts, _deployed_text(out))
        golden = {**anchor.golden, **_write_imu(out, shipped.encoder, windows)}
    # The stub takes any keyword for numpy 2.1's allow_pickle.
    np.savez_compressed(out / "golden.npz", **golden)  # type: ignore[arg-type]
    _write_json(out / "prompts.json", {"imu": prompts.demo, "vision": _vision_prompts()})
    text = evaluation_text(figures, anchor.figures)
    (out / "EVALUATION.md").write_text(text, encoding="utf-8")
    (out / "NOTICE.txt").write_text(_NOTICE, encoding="utf-8")
    training = _provenance(seed, shipped, figures, anchor.figures)
    (out / "bundle.json").write_bytes(
        encode_manifest(_manifest(out, anchor, shipped.temperature, training))
    )
    return out


def _train_all(windows: WindowSet, prompts: Prompts, seeds: Sequence[int]) -> dict[int, TrainedImu]:
    texts = np.stack([minilm.embed_texts(prompts.train[label]) for label in CLASSES])
    train = windows.select(windows.splits == "train")
    return {seed: train_imu_encoder(train, texts, seed) for seed in seeds}


def _deployed_text(out: Path) -> EmbedTexts:
    """The text tower as it is shipped."""
    graph = (out / "text.onnx").read_bytes()

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        ids, mask = minilm.tokenize(texts)
        return run_graph(graph, {"input_ids": ids, "attention_mask": mask})

    return embed


def _measure(
    trained: dict[int, TrainedImu],
    windows: WindowSet,
    episodes: EpisodeSet,
    prompts: Prompts,
    embed_texts: EmbedTexts,
) -> Figures:
    owners = episodes.splits[episodes.window_episode]
    unconfirmed = episodes.window_label == ""
    return {
        "seeds": [
            evaluation.measure_seed(
                seed, windows, partial(embed_windows, one.encoder), prompts, embed_texts
            )
            for seed, one in trained.items()
        ],
        "baseline": evaluation.measure_baseline(windows),
        "dropped": {
            split: int((unconfirmed & (owners == split)).sum())
            for split in evaluation.EVALUATED_SPLITS
        },
        "borderline": evaluation.count_windows(windows, evaluation.BORDERLINE),
        "unseen": evaluation.count_windows(windows, UNSEEN_CLASS),
    }


def _write_imu(out: Path, encoder: ImuConv, windows: WindowSet) -> dict[str, NDArray[Any]]:
    """Write imu.onnx, compare it with torch and return its golden features and embeddings."""
    graph = write_graph(export_onnx(encoder, IMU.inputs), out / IMU.onnx)
    test = windows.select(windows.splits == "test")
    first = [int(np.flatnonzero(test.labels == label)[0]) for label in CLASSES]
    features = {"features": test.features[first, 0]}
    difference = max(largest_difference(graph, encoder, features, batch) for batch in _BATCHES)
    if difference > LARGEST_DIFFERENCE:
        raise BundleError(
            f"{IMU.onnx} differs from its torch module by {difference:.1e}, expected at most "
            f"{LARGEST_DIFFERENCE:.0e}; check the versions of torch, onnxscript and onnxruntime"
        )
    return {"imu/features": features["features"], "imu/embedding": run_module(encoder, features)}


def _vision_prompts() -> dict[str, list[str]]:
    """Prompts of the things that stand in the sample recording."""
    folder = resources.files("sensebind_engines.recipes") / "sample_recording"
    prompts: dict[str, list[str]] = json.loads(
        (folder / "vision_prompts.json").read_text(encoding="utf-8")
    )
    return prompts


def _provenance(
    seed: int, shipped: TrainedImu, figures: Figures, anchor: dict[str, float]
) -> dict[str, object]:
    """How the bundle came to be, for the manifest."""
    return {
        "recipe": "demo-imu",
        "seed": seed,
        "imu": {
            "bound_to": "text",
            "data": "simulated",
            "steps": SCHEDULE.steps,
            "batch": BATCH,
            "learning_rate": SCHEDULE.learning_rate,
            "parameters": sum(weight.numel() for weight in shipped.encoder.parameters()),
            "final_loss": round(float(np.mean(shipped.losses[-50:])), 6),
            "figures": figures,
        },
        "anchor": anchor,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _manifest(
    out: Path, anchor: AnchorFiles, temperature: float, training: dict[str, object]
) -> Manifest:
    files = {
        path.name: FileSpec(sha256=sha256_of_file(path), bytes=path.stat().st_size)
        for path in sorted(out.iterdir())
    }
    return Manifest(
        format=1,
        name="demo",
        kind="model",
        dim=384,
        anchor=(Modality.VISION, Modality.TEXT),
        encoders={**anchor.encoders, Modality.IMU: IMU},
        files=files,
        licence=LICENCE,
        binding_graph=(
            EdgeSpec(source=Modality.VISION, target=Modality.TEXT, loss="conse", trained=True),
            EdgeSpec(
                source=Modality.IMU,
                target=Modality.TEXT,
                loss="infonce",
                trained=True,
                temperature=round(temperature, 6),
            ),
        ),
        golden="golden.npz",
        evaluation="EVALUATION.md",
        training=training,
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
