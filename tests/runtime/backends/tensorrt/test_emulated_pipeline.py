# SPDX-License-Identifier: Apache-2.0
"""A pipeline on the EMULATED GPU: opened by one thread, run by another, closed by the first."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.emulated.driver import missing

if missing() is not None:
    pytest.skip(f"EMULATED GPU: {missing()}", allow_module_level=True)

from sensebind.bundle import Bundle
from sensebind.pipeline import Pipeline
from sensebind.sources import open_source
from sensebind.storage import data_folder
from sensebind.types import Modality
from tests.support.emulated.plans import put_plan

if TYPE_CHECKING:
    from sensebind.types import Embedding
    from tests.support.emulated.driver import EmulatedDriver

SAMPLE = data_folder() / "sample" / "sample.mcap"


def embeddings(backend: str, count: int = 30) -> tuple[list[Embedding], str, str]:
    """The first embeddings of the sample, what ran, and why."""
    with Bundle.load("demo", backend=backend, threads=1) as bundle, Pipeline(bundle) as pipe:
        run = pipe.run(open_source(SAMPLE))
        found = list(islice(run, count))
        run.close()
        return found, pipe.metadata().backend, bundle.backend_reason


def test_a_replay_is_the_same_on_both(emulated: EmulatedDriver) -> None:
    for modality in (Modality.IMU, Modality.AUDIO):
        put_plan(modality)
    expected, _, _ = embeddings("onnxruntime")
    launches = emulated.launches()
    found, backend, reason = embeddings("auto")
    assert emulated.launches() > launches
    assert backend == "onnxruntime+tensorrt"
    assert "no plan fits" in reason
    keys = [(e.stream, e.grid_ns) for e in found]
    assert keys == [(e.stream, e.grid_ns) for e in expected]
    assert {Modality.IMU, Modality.AUDIO} <= {e.modality for e in found}
    for one, other in zip(found, expected, strict=True):
        assert one.encoder_id == other.encoder_id
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)
