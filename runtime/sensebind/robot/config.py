# SPDX-License-Identifier: Apache-2.0
"""Everything that a robot's service is told, as one typed configuration."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.config import PipelineConfig
from sensebind.describing import ChangeSettings, DescribingConfig, LabelSettings
from sensebind.fusion import FusionConfig  # noqa: TC001 - msgspec reads annotations
from sensebind.robot.device_config import DeviceConfig  # noqa: TC001 - msgspec reads annotations


class EnginesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is done about encoders that have no TensorRT plan yet.

    Attributes:
        build: whether the service builds the plans that its streams lack, one after the other; by
            `sensebind engine build` only if false.
        meanwhile: until its plan is ready an encoder runs on the "cpu"; with "wait" the devices are
            opened after the builds.
        memory_mib: a plan is not built if that may take more; if None, more than what is free less
            512 MiB.
        verify: whether a plan is compared with the bundle's golden vectors before it is taken, and
            refused where the bundle asks for more.
    """

    build: bool = False
    meanwhile: Literal["cpu", "wait"] = "cpu"
    memory_mib: Annotated[int, Meta(ge=256)] | None = None
    verify: bool = True


class OutputConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where embeddings go.

    Attributes:
        file: name of the files, ending in .parquet, .jsonl or .mcap; the time (UTC) at which each
            was begun is put before the suffix.
        rotate_s: a file is finished, and the next one begun, after so long; 0 for when a run ends
            only.
        keep: finished files to keep, the newest ones; all if None.
    """

    file: str
    rotate_s: Annotated[float, Meta(ge=0, le=2_592_000)] = 3600.0
    keep: Annotated[int, Meta(ge=1)] | None = None


class RecordConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the sensors are recorded, for replay.

    Attributes:
        file: name of the recordings, ending in .mcap; the time (UTC) at which each was begun is put
            before the suffix.
        rotate_s: a recording is finished, and the next one begun, after so long; 0 for when a run
            ends only.
        compress: whether to pack chunks with zstd.
        keep: finished recordings to keep, the newest ones; all if None.
    """

    file: str
    rotate_s: Annotated[float, Meta(ge=0, le=2_592_000)] = 3600.0
    compress: bool = False
    keep: Annotated[int, Meta(ge=1)] | None = None


class StatsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Statistics of the run.

    Attributes:
        file: takes a JSON line of latencies, drops and memory each `every_s`, behind those that
            are there.
        every_s: how often.
    """

    file: str
    every_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0


class HealthConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the service tells that it is well.

    Attributes:
        file: is replaced by the present state, as JSON, each `every_s`; none if None.
        every_s: how often.
        port: `http://127.0.0.1:PORT/health` answers with the same, 200 if all is well and 503 if
            not; no address is listened to if None.
    """

    file: str | None = None
    every_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None


class RobotConfig(PipelineConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `sensebind run` runs: a PipelineConfig, and what is before and behind a pipeline.

    Attributes:
        bundle: name or folder of the bundle.
        prompts: classes to score: texts by class, or a text as `--prompts` takes it ("a cat,a dog",
            or the name of a file).
        labels: when labels are given.
        fusion: how streams are joined; not if None.
        changes: what is a change, and where they are written; not if None.
        devices: what delivers the streams, by names of your choice.
        engines: what is done about encoders that have no TensorRT plan yet.
        output: where embeddings go; nowhere if None.
        record: where the sensors are recorded; nowhere if None.
        stats: where statistics go; nowhere if None.
        health: how the service tells that it is well.
    """

    bundle: str = "demo"
    prompts: str | dict[str, tuple[str, ...]] | None = None
    labels: LabelSettings = LabelSettings()
    fusion: FusionConfig | None = None
    changes: ChangeSettings | None = None
    devices: dict[str, DeviceConfig] = {}  # noqa: RUF012 - msgspec copies it
    engines: EnginesConfig = EnginesConfig()
    output: OutputConfig | None = None
    record: RecordConfig | None = None
    stats: StatsConfig | None = None
    health: HealthConfig = HealthConfig()

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _ = self.describing

    @property
    def describing(self) -> DescribingConfig:
        """What is to be said of the embeddings."""
        return DescribingConfig(
            prompts=self.prompts, labels=self.labels, fusion=self.fusion, changes=self.changes
        )
