# SPDX-License-Identifier: Apache-2.0
"""The Python interface as a page: what `sensebind` and its open packages export."""

from __future__ import annotations

import sensebind
import sensebind.preprocess
from sensebind import _HOME as HOMES

_SECTIONS = {
    "sensebind": (
        "Imported when first used: `import sensebind as sb`.",
        [f"{HOMES[name]}.{name}" for name in sensebind.__all__],
    ),
    "sensebind.preprocess": (
        "Front ends that can be used alone, NumPy in and out.",
        [
            "sensebind.preprocess.spectrogram.log_mel",
            "sensebind.preprocess.depth.depth_features",
            "sensebind.preprocess.imu.resample_imu",
            "sensebind.preprocess.imu_join.join_imu",
        ],
    ),
    "Sources and sinks": (
        "What one's own implement; see [your own sensor](../sources.md).",
        [
            "sensebind.sources.base.Source",
            "sensebind.sources.base.LiveSource",
            "sensebind.sinks.base.Sink",
        ],
    ),
    "Labels and changes": (
        "See [labels](../labels.md).",
        ["sensebind.labelling.LabelConfig", "sensebind.labelling.Labeller"],
    ),
    "Errors": (
        "Every error that a user can cause is one of these.",
        [
            f"sensebind.errors.{name}"
            for name in (
                "InputError", "ConfigError", "CalibrationError", "BundleError", "SourceError",
                "SinkError", "BackendError", "MissingExtraError",
            )
        ],
    ),
}  # fmt: skip


def page() -> str:
    """Directives that mkdocstrings fills in."""
    parts = ["# Python"]
    for heading, (words, names) in _SECTIONS.items():
        parts += [f"## {heading}", words, *(f"::: {name}" for name in names)]
    return "\n\n".join(parts) + "\n"
