# SPDX-License-Identifier: Apache-2.0
"""Recipes: everything that builds the bundles and recordings the project ships.

A recipe is a module with `build(out: Path, cache: Path, *, seed: int = ...) -> Path`. Modules are
imported on use, so listing recipes needs none of their packages.
"""

from __future__ import annotations

from typing import NamedTuple


class Recipe(NamedTuple):
    """Where a recipe lives and what it makes."""

    module: str
    summary: str


RECIPES: dict[str, Recipe] = {
    "demo": Recipe(
        "sensebind_engines.recipes.demo",
        "the demo bundle: image and text anchor, and a trained encoder of every other sense",
    ),
    "esc10": Recipe(
        "sensebind_engines.recipes.esc10.dataset",
        "manifests and configuration to bind real sounds to text: ESC-10",
    ),
    "imu-motion": Recipe(
        "sensebind_engines.recipes.imu_motion.dataset",
        "what simulated robots do, told from their IMU: episodes, manifest and configuration",
    ),
    "imu-watch": Recipe(
        "sensebind_engines.recipes.imu_motion.watch",
        "people's exercises with a watch, to evaluate on alone: seglearn's data as a manifest",
    ),
    "object-renders": Recipe(
        "sensebind_engines.recipes.object_renders.dataset",
        "named 3-D models as colour and depth pictures, and four binding graphs to train on them",
    ),
    "object-scenes": Recipe(
        "sensebind_engines.recipes.object_scenes.dataset",
        "the same models in rooms, as colour, noisy depth and simulated thermal pictures",
    ),
    "sample-recording": Recipe(
        "sensebind_engines.recipes.sample_recording.build",
        "the sample recording with its truth: a simulated robot seen, heard and felt",
    ),
    "sound-pictures": Recipe(
        "sensebind_engines.recipes.sound_pictures.dataset",
        "sounds bound to pictures of what makes them, and to no text",
    ),
    "sounds": Recipe(
        "sensebind_engines.recipes.sounds.dataset",
        "recorded, rendered and synthesised sounds to bind to text by one encoder",
    ),
}
