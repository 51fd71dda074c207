# SPDX-License-Identifier: Apache-2.0
"""Programs on the EMULATED GPU that end in every way: none of them aborts or hangs.

Real processes: what is at stake is the order in which an interpreter, its threads and pycuda end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.emulated.driver import missing

if missing() is not None:
    pytest.skip(f"EMULATED GPU: {missing()}", allow_module_level=True)

from sensebind.types import Modality
from tests.support.emulated.plans import put_plan

if TYPE_CHECKING:
    from tests.support.emulated.driver import EmulatedDriver

PROLOGUE = """
import atexit, gc, os, sys, threading
from pathlib import Path
from tests.support.emulated import library
from tests.support.emulated.driver import EmulatedDriver
driver = EmulatedDriver(Path(os.environ["EMULATED_DRIVER"]))
# Registered before the backend is imported, so called after it let go of the GPU.
atexit.register(lambda: print("left:", driver.living(), "after", driver.made()["context"]))
sys.modules["tensorrt"] = library.module(driver)
from sensebind import Bundle
bundle = Bundle.load("demo", backend="tensorrt", threads=1)
imu = bundle.encoder("imu")
(tensor,) = imu.spec.inputs
import numpy as np
window = {tensor.name: np.ones(tensor.shape[1:], np.float32)}
def run():
    imu.encode([window])
def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread
run()
"""

ENDS = {
    "closed": "bundle.close()",
    "left open": "",
    "run in a thread": "in_thread(run).join()",
    "closed in a thread": "in_thread(bundle.close).join()",
    "opened in a thread": "in_thread(lambda: bundle.encoder('audio')).join()",
    "a daemon goes on": """
def forever():
    try:
        while True:
            run()
    except Exception as error:
        assert "the program is ending" in str(error), error
threading.Thread(target=forever, daemon=True).start()
run()
""",
    "a thread outlives main": """
def later():
    threading.main_thread().join()
    run()
in_thread(later)
""",
    "forgotten in a cycle": "imu.me = imu; del imu, bundle; gc.collect()",
    "closed and opened again": "bundle.close(); Bundle.load('demo', threads=1).encoder('imu')",
    "sys.exit in the middle": "sys.exit(0)",
}


def run_program(text: str, driver: EmulatedDriver) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    root = Path(__file__).parents[4]
    paths = [str(root), *sys.path]
    return subprocess.run(
        [sys.executable, "-c", PROLOGUE + text],
        env={
            **os.environ,
            "EMULATED_DRIVER": str(driver.library),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("end", list(ENDS))
def test_a_program_ends_with_an_empty_gpu(end: str, emulated: EmulatedDriver) -> None:
    put_plan(Modality.IMU)
    put_plan(Modality.AUDIO)
    done = run_program(ENDS[end], emulated)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("left: {} after"), done.stdout
    assert "PyCUDA" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unhandled_error_stays_the_last_word(emulated: EmulatedDriver) -> None:
    put_plan(Modality.IMU)
    done = run_program("1 / 0", emulated)
    assert done.returncode == 1  # an abort of pycuda's would be -6
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert done.stdout.startswith("left: {} after")


def test_what_the_gpu_s_thread_is_for(emulated: EmulatedDriver) -> None:
    """A context that is left current at the end makes pycuda abort: the classic failure."""
    text = "bundle.close(); import pycuda.driver as cuda; cuda.init()\n"
    text += "context = cuda.Device(0).retain_primary_context(); context.push()"
    put_plan(Modality.IMU)
    done = run_program(text, emulated)
    assert done.returncode == -6
    assert "context stack was not empty" in done.stderr
