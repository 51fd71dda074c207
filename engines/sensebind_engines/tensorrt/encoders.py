# SPDX-License-Identifier: Apache-2.0
"""From an encoder of a bundle to what is to be built: graph, precision, key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from sensebind.errors import BundleError
from sensebind.gpu import NO_GPU
from sensebind.plans import PlanKey
from sensebind.specs import TextSpec

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.bundle_folder import BundleFolder, Precision
    from sensebind.gpu import Gpu
    from sensebind.specs import EncoderSpec
    from sensebind.types import Modality
    from sensebind_engines.tensorrt.flavour import Flavour
    from sensebind_engines.tensorrt.options import BuildOptions

Asked = Literal["auto", "fp16", "fp32"]
Lengths = dict[str, tuple[int, int, int]]

_AMPERE = 80
_USUAL_TOKENS = 16
"""Length of text a plan is tuned for: prompts are short."""


class Target(NamedTuple):
    """One plan to build.

    Attributes:
        modality: of the encoder.
        path: its graph in the chosen precision.
        options: with that precision.
        lengths: least, usual and largest length of dynamic axes other than the batch, by name.
        spec: the manifest's entry.
        key: identity of the plan.
    """

    modality: Modality
    path: Path
    options: BuildOptions
    lengths: Lengths
    spec: EncoderSpec
    key: PlanKey


def target_of(
    folder: BundleFolder,
    modality: Modality,
    flavour: Flavour,
    gpu: Gpu,
    options: BuildOptions,
    precision: Asked,
) -> Target:
    """What to build for one encoder; its files are checked against the manifest.

    Args:
        folder: the bundle.
        modality: which encoder.
        flavour: the installed TensorRT.
        gpu: the GPU at hand; not part of the key where plans are built for generations.
        options: their precision is replaced.
        precision: "auto" takes half where the bundle has it.

    Raises:
        BundleError: the bundle has no such encoder, no half graph of it, or a damaged file.
    """
    spec, graphs, listed = folder.encoder(modality), folder.graphs(modality), folder.manifest.files
    if precision == "fp16" and "fp16" not in graphs:
        raise BundleError(
            f"the bundle {folder.manifest.name!r} has no half graph of {modality.value}; export it "
            "with --fp16, or build with --precision fp32"
        )
    taken: Precision = "fp16" if precision != "fp32" and "fp16" in graphs else "fp32"
    files = graphs[taken]
    folder.verify(files)
    chosen = msgspec.structs.replace(
        options,
        precision=taken,
        compute_capabilities=options.compute_capabilities or _capabilities(flavour, gpu),
    )
    here = NO_GPU if flavour.is_rtx else gpu
    lengths = _lengths(spec)
    key = PlanKey(
        onnx_sha256=tuple(listed[file].sha256 for file in files),
        backend=flavour.name,
        version=flavour.version,
        gpu=here.name,
        sm=here.sm,
        driver=here.driver,
        options=_plain({**msgspec.to_builtins(chosen), "lengths": lengths}),
    )
    return Target(modality, folder.file(files[0]), chosen, lengths, spec, key)


def _plain(options: dict[str, object]) -> dict[str, object]:
    """As they come back from a record."""
    plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(options))
    return plain


def _lengths(spec: EncoderSpec) -> Lengths:
    if not isinstance(spec.preprocess, TextSpec):
        return {}
    most = spec.preprocess.max_tokens
    return {
        axis: (1, min(_USUAL_TOKENS, most), most)
        for tensor in spec.inputs
        for axis in tensor.shape[1:]
        if isinstance(axis, str)
    }


def _capabilities(flavour: Flavour, gpu: Gpu) -> tuple[str, ...]:
    """Generations TensorRT-RTX builds for: that of the GPU at hand, else all since Ampere.

    Turing (75) has no FP32 matrix product, which the FP32 islands need; who has one asks for it.
    """
    if not flavour.is_rtx:
        return ()
    return (gpu.sm,) if gpu.sm else tuple(c for c in flavour.capabilities if int(c) >= _AMPERE)
