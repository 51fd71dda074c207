# SPDX-License-Identifier: Apache-2.0
"""Pipelines one after the other on one source: no message is lost uncounted in between."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sensebind import Bundle, Pipeline
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.describing import DescribingConfig
from sensebind.sources.base import StreamKind
from sensebind.types import Modality
from sensebind_ros.counts import PUSHED
from sensebind_ros.reading import make_reader
from sensebind_ros.running import Running
from sensebind_ros.source import NOT_RUNNING, Topic, TopicSource, stream_info
from tests.support import bags
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["bundle_folder"]

PERIOD_NS = 5_000_000
STREAM = StreamConfig(modality=Modality.IMU, policy="block")
CONFIG = PipelineConfig(streams={"imu": STREAM}, source_timeout_s=3600.0)
PATIENCE_S = 30.0


class SystemTime:
    def now_ns(self) -> int:
        return time.time_ns()


def test_messages_that_come_while_a_run_ends_are_counted(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comes after each pipeline was told to end, when it takes no more in."""
    source = TopicSource(
        {"imu": stream_info("imu", StreamKind.SAMPLES, bags.IMU, 400.0)}, time.time_ns
    )
    topic = Topic("/imu", "imu", bags.IMU, make_reader("imu", bags.IMU, STREAM))
    end_pipeline = Pipeline.stop

    def send() -> None:
        message: Any = bags.imu("/imu", (topic.received + 200) * PERIOD_NS, (0.1,) * 6)
        source.receive(topic, bags.serialize(message))

    def stop(pipeline: Pipeline) -> None:
        end_pipeline(pipeline)
        send()

    monkeypatch.setattr(Pipeline, "stop", stop)
    with Bundle.load(bundle_folder) as bundle:
        running = Running(bundle, source, SystemTime(), lambda _: None, lambda _: None)
        running.start(CONFIG, DescribingConfig())
        for hop_s in (0.5, 0.25):
            assert source.opened.wait(PATIENCE_S), running.failure
            send()
            streams = {"imu": StreamConfig(modality=Modality.IMU, policy="block", hop_s=hop_s)}
            config = PipelineConfig(streams=streams, source_timeout_s=3600.0)
            running.change(config, DescribingConfig())
        assert source.opened.wait(PATIENCE_S), running.failure
        assert running.stop()
    pushed = running.counts()["imu"][PUSHED]
    assert running.runs == 3
    assert pushed == 2
    assert topic.received == pushed + topic.skipped[NOT_RUNNING]


def test_a_run_that_has_ended_takes_no_messages_from_the_next_one(bundle_folder: Path) -> None:
    """It may end by itself just as it is told to."""
    info = stream_info("imu", StreamKind.SAMPLES, bags.IMU, 400.0)
    source = TopicSource({"imu": info}, time.time_ns)
    with Bundle.load(bundle_folder) as bundle, Pipeline(bundle, CONFIG) as ended:
        running = Running(bundle, source, SystemTime(), lambda _: None, lambda _: None)
        running.start(CONFIG, DescribingConfig())
        assert source.opened.wait(PATIENCE_S), running.failure
        running._end(ended)
        assert running.takes_messages
        assert running.stop()
