# SPDX-License-Identifier: Apache-2.0
"""Train a configuration from beginning to end, or go on with a run."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
import torch

import sensebind
from sensebind.errors import InputError
from sensebind_engines.models.build import build_encoders
from sensebind_engines.training.assembly import assemble
from sensebind_engines.training.processes import joined
from sensebind_engines.training.run_folder import (
    AnchorRecord,
    DataRecord,
    Provenance,
    RunFolder,
)
from sensebind_engines.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from sensebind.types import Modality
    from sensebind_engines.anchors import Tower
    from sensebind_engines.data.base import PairedData
    from sensebind_engines.training.assembly import Assembly
    from sensebind_engines.training.config import GraphConfig

K = TypeVar("K")


def train(
    config: GraphConfig,
    out: Path,
    data: Mapping[str, PairedData] | None = None,
    *,
    resume: bool = False,
    progress: bool = False,
) -> RunFolder:
    """Train a configuration's graph and write its run folder.

    Args:
        config: what to train.
        out: the run's folder; new, unless `resume`.
        data: by name; opened from the configuration if None.
        resume: go on from the folder's checkpoint, if there is a run.
        progress: show a bar on stderr, if it is a terminal.

    Raises:
        ConfigError, InputError: what was given cannot be used.
        TrainingError, SinkError: training failed on the way; what was written is kept.
        KeyboardInterrupt: it was ended by a signal, after writing a checkpoint.
    """
    assembly, folder = assemble(config), RunFolder(out)
    with joined(config.training.device) as processes:
        towers = assembly.open_towers() if data is None else {}
        opened = assembly.open_data(towers) if data is None else data
        provenance = Provenance(
            versions=_versions(config, processes.world),
            data={name: _data_record(opened[name]) for name in assembly.graph.by_data()},
            encoders=assembly.encoders,
            anchors={m: _anchor_record(assembly, m, tower) for m, tower in towers.items()},
            tokenizer=assembly.tokenizer,
        )
        going_on = resume and folder.resolved.exists()
        processes.wait()  # nobody may begin the folder before all have looked
        if going_on:
            _refuse_another(folder, config, provenance)
        elif processes.first:
            folder.begin(config, provenance)
        processes.wait()
        if not folder.finished:
            trainer = Trainer(assembly.binding(), opened, config, processes)
            trainer.run(folder, progress=progress)
    return folder


def trained_encoder(folder: RunFolder, modality: Modality) -> nn.Module:
    """A trained node of a finished run, for inference; takes its features by name.

    Raises:
        InputError: if the run is not finished or does not train it.
    """
    weights = folder.weights(modality)
    encoder = build_encoders({modality: folder.encoders()[modality]})[modality]
    encoder.load_state_dict(weights)
    return encoder.eval()


def _refuse_another(folder: RunFolder, config: GraphConfig, provenance: Provenance) -> None:
    """A run goes on with the configuration, data and anchors it was begun with, or not at all."""
    before, now = (msgspec.to_builtins(c) for c in (folder.config(), config))
    if keys := sorted(_differences(before, now, "")):
        raise InputError(
            f"the run {str(folder.path)!r} was begun with another configuration; these differ: "
            f"{', '.join(keys)}. Resume with its own resolved.toml, or choose another --out"
        )
    changed = _changed(folder.data(), provenance.data)
    if changed := changed + _changed(folder.anchors(), provenance.anchors):
        raise InputError(
            f"{', '.join(map(repr, changed))} changed since the run {str(folder.path)!r} was "
            "begun; bring the data or the anchor back, or choose another --out"
        )


def _changed(before: Mapping[K, object], now: Mapping[K, object]) -> list[str]:
    return [str(name) for name, value in now.items() if before.get(name) != value]


def _data_record(data: PairedData) -> DataRecord:
    return DataRecord(
        modalities=data.modalities, items=len(data), content_sha256=data.content_sha256
    )


def _anchor_record(assembly: Assembly, modality: Modality, tower: Tower) -> AnchorRecord:
    source = assembly.graph.nodes[modality].anchor
    assert source is not None
    return AnchorRecord(source=source, encoder_id=tower.encoder_id, space_id=tower.anchor.space_id)


def _versions(config: GraphConfig, processes: int) -> dict[str, object]:
    return {
        "sensebind": sensebind.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "safetensors": version("safetensors"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": config.training.threads or torch.get_num_threads(),
        "processes": processes,
    }


def _differences(before: object, now: object, where: str) -> list[str]:
    """Dotted names of the values that differ."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [where.rstrip(".")]
    names = {*before, *now}
    return [
        found for n in names for found in _differences(before.get(n), now.get(n), f"{where}{n}.")
    ]
