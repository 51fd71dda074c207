# SPDX-License-Identifier: Apache-2.0
"""Engines on the EMULATED GPU: values, memory, recorded runs, refusals. No TensorRT."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from tests.support.emulated import library
from tests.support.emulated.driver import missing

if missing() is not None:
    pytest.skip(f"EMULATED GPU: {missing()}", allow_module_level=True)

from sensebind.backends.tensorrt import device as device_module
from sensebind.backends.tensorrt import graphs
from sensebind.backends.tensorrt.engine import TensorRtEngine, open_engine
from sensebind.backends.tensorrt.staging import Staged
from sensebind.bundle import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, BundleError, InputError
from sensebind.plan_request import plan_request
from sensebind.plans import Plan
from sensebind.specs import features_shape
from sensebind.types import Modality
from tests.support.emulated.plans import put_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.backends.tensorrt.device import Device
    from tests.support.emulated.driver import EmulatedDriver

Inputs = dict[str, "NDArray[Any]"]

REQUEST = plan_request(open_bundle("demo"), Modality.IMU)
SPEC = open_bundle("demo").encoder(Modality.IMU)
NAME, SHAPE = SPEC.inputs[0].name, features_shape(SPEC)


def engine() -> TensorRtEngine:
    return open_engine("tensorrt", SPEC.inputs, SPEC.output, REQUEST)


@pytest.fixture
def imu(emulated: EmulatedDriver, caplog: pytest.LogCaptureFixture) -> Callable[[], TensorRtEngine]:
    """Opens engines of a plan with batches of up to 4."""
    put_plan(Modality.IMU)
    return engine


def windows(count: int, seed: int = 0) -> Inputs:
    noise = np.random.default_rng(seed)
    return {NAME: noise.standard_normal((count, *SHAPE)).astype(np.float32)}


def expected(inputs: Inputs) -> NDArray[np.float32]:
    with Bundle.load("demo", backend="onnxruntime", threads=1) as bundle:
        features = [{NAME: row} for row in inputs[NAME]]
        return np.concatenate([bundle.encoder("imu").encode([f]) for f in features])


@pytest.mark.parametrize("integrated", [False, True], ids=["copied", "zero copy"])
@pytest.mark.parametrize("count", [1, 3, 4, 9], ids="batch of {}".format)
def test_vectors_are_onnx_runtimes(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver, count: int, integrated: bool
) -> None:
    emulated.integrate(integrated=integrated)
    opened = imu()
    assert opened.zero_copy == integrated
    for seed in range(4):  # the second run of a shape records it, the third launches the record
        inputs = windows(count, seed)
        np.testing.assert_allclose(opened.run(inputs), expected(inputs), atol=1e-6)
    opened.close()


def test_batches_may_come_in_any_order(imu: Callable[[], TensorRtEngine]) -> None:
    opened = imu()
    for seed, count in enumerate([2, 1, 4, 2, 1, 1, 2, 4, 3, 4]):
        inputs = windows(count, seed)
        np.testing.assert_allclose(opened.run(inputs), expected(inputs), atol=1e-6)
    opened.close()


def test_ten_thousand_runs_allocate_nothing(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    opened, inputs = imu(), windows(1)
    first = opened.run(inputs).tobytes()
    made, launches, living = emulated.made(), emulated.launches(), emulated.living()
    for _ in range(10_000):
        assert opened.run(inputs).tobytes() == first
    assert emulated.made() == made
    assert emulated.living() == living
    assert emulated.launches() == launches + 10_000
    opened.close()
    assert emulated.living() == {}


def test_the_plans_bytes_are_not_kept(
    imu: Callable[[], TensorRtEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    freed = []

    class Watched(bytes):
        def __del__(self) -> None:
            freed.append(len(self))

    read = Plan.read
    monkeypatch.setattr(Plan, "read", lambda plan: Watched(read(plan)))
    opened = imu()
    gc.collect()
    assert freed
    opened.close()


def test_opening_and_closing_leaves_nothing(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    for _ in range(5):
        opened = imu()
        opened.run(windows(2))
        assert emulated.living()["context"] == 1
        opened.close()
        opened.close()
        assert emulated.living() == {}
    with pytest.raises(BackendError, match=r"is closed; load the bundle again"):
        opened.run(windows(1))


def test_what_nobody_closed_is_freed_in_the_right_thread(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    keeper, lost = imu(), imu()
    assert emulated.living()["stream"] == 2
    del lost
    gc.collect()
    keeper.run(windows(1))  # by then what was asked for before is done
    assert emulated.living()["stream"] == 1
    keeper.close()


def test_each_engine_has_a_stream(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    put_plan(Modality.AUDIO)
    with Bundle.load("demo", backend="tensorrt", threads=1) as bundle:
        bundle.encoder("imu"), bundle.encoder("audio")
        assert emulated.living()["stream"] == 2


def test_any_thread_may_run_and_close(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    opened, found = imu(), {}

    def run(seed: int) -> None:
        for _ in range(20):
            found[seed] = opened.run(windows(1, seed))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        np.testing.assert_allclose(found[seed], expected(windows(1, seed)), atol=1e-6)
    closing = threading.Thread(target=opened.close)
    closing.start()
    closing.join()
    assert emulated.living() == {}


def test_text_of_any_length(emulated: EmulatedDriver) -> None:
    put_plan(Modality.TEXT)
    texts = ["a dog", "the sound of a very large truck that drives over gravel", "a"] * 2
    with Bundle.load("demo", backend="tensorrt", threads=1) as bundle:
        found = bundle.encode_text(texts)
    with Bundle.load("demo", backend="onnxruntime", threads=1) as bundle:
        np.testing.assert_allclose(found, bundle.encode_text(texts), atol=1e-6)


def test_without_cuda_bindings_runs_are_queued_and_it_is_said(
    imu: Callable[[], TensorRtEngine],
    emulated: EmulatedDriver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(graphs, "open_driver", lambda: None)
    launches, opened = emulated.launches(), imu()
    assert "CUDA graphs of imu are off: cuda-bindings is not installed" in caplog.text
    for count in (1, 2, 1):
        inputs = windows(count)
        np.testing.assert_allclose(opened.run(inputs), expected(inputs), atol=1e-6)
    assert emulated.launches() == launches
    opened.close()


def test_what_cannot_be_recorded_is_queued(
    imu: Callable[[], TensorRtEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> graphs.Graph:
        raise BackendError("the CUDA driver refuses a graph: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")

    monkeypatch.setattr(graphs, "record", refuse)
    opened = imu()
    assert opened.graphs_off is not None
    assert "CAPTURE_UNSUPPORTED" in opened.graphs_off
    inputs = windows(2)
    np.testing.assert_allclose(opened.run(inputs), expected(inputs), atol=1e-6)
    opened.close()


def test_a_recording_that_breaks_off_leaves_nothing(
    imu: Callable[[], TensorRtEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = library.Context.execute_async_v3
    answers = iter([True, False])

    def breaks_off(context: library.Context, stream: int) -> bool:
        return next(answers, True) and whole(context, stream)

    monkeypatch.setattr(library.Context, "execute_async_v3", breaks_off)
    opened = imu()
    assert opened.graphs_off is not None
    assert "TensorRT cannot run the plan" in opened.graphs_off
    inputs = windows(1)
    np.testing.assert_allclose(opened.run(inputs), expected(inputs), atol=1e-6)
    opened.close()


def test_a_recorded_run_that_does_nothing_is_seen(
    imu: Callable[[], TensorRtEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs.Graph, "launch", lambda *_given: None)
    opened = imu()
    assert opened.graphs_off == "a recorded run gave other values than a queued one"
    inputs = windows(1)
    np.testing.assert_allclose(opened.run(inputs), expected(inputs), atol=1e-6)
    opened.close()


def test_memory_that_is_not_there_is_said(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    emulated.limit(5000)
    with pytest.raises(BackendError, match=r"out of memory.*close other programs, or build small"):
        imu()
    assert emulated.living() == {}


def test_after_a_fault_engines_are_opened_anew(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    first, second = imu(), imu()
    emulated.fault()
    with pytest.raises(BackendError, match=r"CUDA_ERROR_ILLEGAL_ADDRESS"):
        first.run(windows(1))
    with pytest.raises(BackendError, match=r"not on the GPU any more|faulted"):
        second.run(windows(1))
    again = imu()
    inputs = windows(1)
    np.testing.assert_allclose(again.run(inputs), expected(inputs), atol=1e-6)
    for opened in (first, second, again):
        opened.close()


def test_other_inputs_are_refused(imu: Callable[[], TensorRtEngine]) -> None:
    opened = imu()
    with pytest.raises(InputError, match=rf"input '{NAME}' is float64"):
        opened.run({NAME: windows(1)[NAME].astype(np.float64)})
    opened.close()


def test_a_plan_of_other_tensors_is_refused(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    inputs = (msgspec.structs.replace(SPEC.inputs[0], name="other"),)
    with pytest.raises(BundleError, match=r"encoder\.plan: input is .* the manifest says 'other'"):
        open_engine("tensorrt", inputs, SPEC.output, REQUEST)


def test_a_plan_without_batch_one_is_refused(emulated: EmulatedDriver) -> None:
    put_plan(Modality.IMU, batch=(2, 2, 4))
    with pytest.raises(BackendError, match=r"takes batches of 2 to 4; .* --batch 1,2,4"):
        engine()


def test_a_plan_tensorrt_does_not_take(emulated: EmulatedDriver) -> None:
    plan = put_plan(Modality.IMU)
    plan.path.write_bytes(b"no plan")
    record = msgspec.structs.replace(plan.record, sha256=_sha256(b"no plan"))
    changed = msgspec.structs.replace(plan, record=record)
    library = device_library()
    with pytest.raises(BackendError, match=r"does not take .*magic tag.*engine build --force"):
        TensorRtEngine(library, changed, SPEC.inputs, SPEC.output)


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def device_library() -> Any:
    from sensebind.backends.tensorrt.library import open_library

    return open_library("tensorrt")


def test_a_gpu_that_hangs_is_told(
    imu: Callable[[], TensorRtEngine],
    emulated: EmulatedDriver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(device_module, "_PATIENCE_S", 0.05)
    opened, lost, go_on, hangs = imu(), imu(), threading.Event(), threading.Event()

    def hang(_device: Device) -> None:
        hangs.set()
        assert go_on.wait(30)

    stuck = threading.Thread(target=lambda: device_module.on_device(hang))
    stuck.start()
    assert hangs.wait(30)
    with pytest.raises(BackendError, match=r"busy with one task for 0\.05 s, it hangs: restart"):
        opened.run(windows(1))
    lost.close()
    assert "is not freed yet: the GPU has been busy" in caplog.text
    go_on.set()
    stuck.join()
    monkeypatch.setattr(device_module, "_PATIENCE_S", 30)
    opened.close()
    assert emulated.living() == {}


def test_memory_of_the_gpu_cannot_be_made_in_another_thread(
    imu: Callable[[], TensorRtEngine], emulated: EmulatedDriver
) -> None:
    """The emulated driver is as strict as a real one: this is what the GPU's thread is for."""
    opened = imu()
    found: list[Device] = []
    device_module.on_device(found.append)
    with pytest.raises(Exception, match=r"cuMemHostAlloc failed: error \(EMULATED\)"):
        Staged(found[0], "float32", (1, 8))
    opened.close()
