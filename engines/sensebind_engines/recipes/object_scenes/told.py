# SPDX-License-Identifier: Apache-2.0
"""What is told beside the figures: how encoders of depth and thermal were made, what they lack."""

from __future__ import annotations

from sensebind.types import Modality

SPLITS = {
    "test": "models never trained on, in other rooms",
    "dev": "models that settings were chosen with",
}
BASELINE = "nearest class mean of mean, deviation and histogram, told all training classes"
CEILING = "colour picture of the same view, named by the frozen anchor"
NOTE = ""
FAILURES_RULE = (
    "Of each of the five classes with the lowest recall, the first view in the manifest's order "
    "that the shipped encoder names wrongly."
)
SUMMARY = {Modality.DEPTH: "", Modality.THERMAL: ""}
LIMITS: dict[Modality, tuple[str, ...]] = {Modality.DEPTH: (), Modality.THERMAL: ()}
CHOICES: dict[Modality, tuple[str, ...]] = {Modality.DEPTH: (), Modality.THERMAL: ()}
