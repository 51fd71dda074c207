# SPDX-License-Identifier: Apache-2.0
"""Plans on a real NVIDIA GPU: built, verified and run by TensorRT itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from sensebind.bundle import Bundle
from sensebind.errors import MissingExtraError
from sensebind.gpu import find_gpu
from sensebind.plans import all_plans
from sensebind_engines.commands.engine import engine_app

if find_gpu().name in ("", "EMULATED GPU"):
    pytest.skip("there is no NVIDIA GPU", allow_module_level=True)

from sensebind.backends.tensorrt.library import open_library

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.gpu
SENSES = ("imu", "audio")


@pytest.fixture(scope="module", params=["tensorrt", "tensorrt-rtx"])
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A backend with plans of two encoders of the demo, built and verified here."""
    try:
        open_library(request.param)
    except MissingExtraError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENSEBIND_CACHE", str(tmp_path_factory.mktemp("cache")))
        chosen = [word for sense in SENSES for word in ("--modality", sense)]
        for command in ("build", "verify"):
            arguments = [command, "demo", "--backend", request.param, *chosen]
            done = CliRunner().invoke(engine_app, arguments)
            assert done.exit_code == 0, f"{done.output}{done.exception}"
        yield request.param


def test_plans_agree_with_the_golden_vectors(backend: str) -> None:
    for plan in all_plans()[0]:
        seen = plan.record.verified
        assert seen is not None
        assert seen.least_cosine >= 0.999
        assert seen.p50_ms > 0


@pytest.mark.parametrize("sense", SENSES)
def test_any_thread_gets_the_same_bytes(backend: str, sense: str) -> None:
    with Bundle.load("demo", backend=backend, threads=1) as bundle:
        encoder = bundle.encoder(sense)
        (tensor,) = encoder.spec.inputs
        shape = [n for n in tensor.shape if isinstance(n, int)]
        row = {tensor.name: np.random.default_rng(0).standard_normal(shape, dtype=np.float32)}
        first = encoder.encode([row])
        found: list[bytes] = []

        def run() -> None:
            found.extend(encoder.encode([row]).tobytes() for _ in range(50))

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(found) == {first.tobytes()}
        assert encoder.encode([row] * 3) == pytest.approx(np.repeat(first, 3, axis=0), abs=1e-3)


def test_auto_takes_the_gpu(backend: str) -> None:
    with Bundle.load("demo", threads=1) as bundle:
        assert bundle.encoder("imu").backend == backend
        assert bundle.encoder("thermal").backend == "onnxruntime"
        assert find_gpu().name in bundle.backend_reason
