# SPDX-License-Identifier: Apache-2.0
"""SenseBind: a robot's live senses in one embedding space, on the robot.

The names below are imported when first used, so `import sensebind` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sensebind.version import __version__ as __version__

if TYPE_CHECKING:
    from sensebind.bundle import Bundle as Bundle
    from sensebind.config import PipelineConfig as PipelineConfig
    from sensebind.config import StreamConfig as StreamConfig
    from sensebind.errors import SenseBindError as SenseBindError
    from sensebind.pipeline import Pipeline as Pipeline
    from sensebind.sources import open_source as open_source
    from sensebind.types import Embedding as Embedding
    from sensebind.types import Frame as Frame
    from sensebind.types import FrameBlock as FrameBlock
    from sensebind.types import Modality as Modality
    from sensebind.types import SampleBlock as SampleBlock
    from sensebind.types import UniformBlock as UniformBlock
    from sensebind.types import Window as Window
    from sensebind.zero_shot import ZeroShot as ZeroShot

_HOME = {
    "Bundle": "sensebind.bundle",
    "PipelineConfig": "sensebind.config",
    "StreamConfig": "sensebind.config",
    "SenseBindError": "sensebind.errors",
    "Pipeline": "sensebind.pipeline",
    "open_source": "sensebind.sources",
    "Embedding": "sensebind.types",
    "Frame": "sensebind.types",
    "FrameBlock": "sensebind.types",
    "Modality": "sensebind.types",
    "SampleBlock": "sensebind.types",
    "UniformBlock": "sensebind.types",
    "Window": "sensebind.types",
    "ZeroShot": "sensebind.zero_shot",
}

__all__ = [
    "Bundle",
    "Embedding",
    "Frame",
    "FrameBlock",
    "Modality",
    "Pipeline",
    "PipelineConfig",
    "SampleBlock",
    "SenseBindError",
    "StreamConfig",
    "UniformBlock",
    "Window",
    "ZeroShot",
    "open_source",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'sensebind' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
