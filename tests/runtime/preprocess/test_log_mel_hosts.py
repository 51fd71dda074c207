# SPDX-License-Identifier: Apache-2.0
"""The log-mel kernels on processors this machine is not, and without what the SIMD one needs."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sensebind
from sensebind.errors import InputError
from sensebind.preprocess import _log_mel_kernels
from sensebind.preprocess.spectrogram import LogMel
from sensebind.specs import LogMelSpec
from tests.support.log_mel import assert_as_exact_as_torchaudio, oracle, signals

SAMPLES = signals()
PROCESSORS = {
    "AVX2": ("haswell", "+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+popcnt"),
    "baseline": ("x86-64", "+sse2"),
}
LANES = {"AVX2": 8, "baseline": 4}

PROGRAM = """
import json, sys
import numpy as np
from sensebind.preprocess import _log_mel_kernels, _simd
from sensebind.preprocess.spectrogram import LogMel
from sensebind.specs import LogMelSpec
plan = LogMel(LogMelSpec(mean=0, std=1), kernel="simd")
made = {}
for name, samples in np.load(sys.argv[1]).items():
    made[name] = np.empty((128, plan.frame_count(samples.size)), np.float32)
    plan.frames(samples, made[name])
np.savez(sys.argv[2], **made)
code = "".join(_log_mel_kernels.compiled("simd").inspect_asm().values())
counts = {register: code.count("%" + register) for register in ("xmm", "ymm", "zmm")}
print(json.dumps({"lanes": _simd.LANES, **counts}))
"""

WITHOUT_COMPILER = """
import sys
import numpy as np
from sensebind.preprocess.spectrogram import LogMel
from sensebind.specs import LogMelSpec
plan = LogMel(LogMelSpec())
out = np.empty((128, 1), np.float32)
plan.frames(np.load(sys.argv[1])["noise"][:400], out)
np.savez(sys.argv[2], noise=out)
"""


def run(program: str, folder: Path, **environment: str) -> tuple[str, dict[str, np.ndarray]]:
    np.savez(folder / "samples.npz", **SAMPLES)  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "samples.npz"), str(folder / "made.npz")],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(sensebind.__file__).parents[1]),
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "made.npz") as made:
        return done.stdout + done.stderr, dict(made)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 code does not run here")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_older_processors(processor: str, tmp_path: Path) -> None:
    name, features = PROCESSORS[processor]
    said, made = run(PROGRAM, tmp_path, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    counts = json.loads(said)
    assert counts["lanes"] == LANES[processor]
    assert counts["zmm"] == 0
    assert counts["ymm" if processor == "AVX2" else "xmm"] > 100
    assert counts["ymm"] == 0 or processor == "AVX2"
    for signal in SAMPLES:
        assert_as_exact_as_torchaudio(signal, made[signal])


def test_without_a_compiler_the_portable_kernel_serves(tmp_path: Path) -> None:
    said, made = run(WITHOUT_COMPILER, tmp_path, NUMBA_DISABLE_JIT="1")
    assert "NUMBA_DISABLE_JIT" in said
    exact = oracle(SAMPLES["noise"][:400], LogMelSpec())
    np.testing.assert_allclose(made["noise"], exact, rtol=0, atol=1e-4)


def test_where_simd_fails_the_portable_kernel_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise AttributeError("no such instruction")

    monkeypatch.setattr(_log_mel_kernels, "_simd", fail)
    with caplog.at_level(logging.WARNING, "sensebind"):
        plan, _ = LogMel(LogMelSpec()), LogMel(LogMelSpec())
    told = "falls back to its portable, slower kernel: no such instruction"
    assert caplog.text.count(told) == 1
    made, expected = np.empty((2, 128, 1), np.float32)
    plan.frames(SAMPLES["tone"][:400], made)
    LogMel(LogMelSpec(), kernel="portable").frames(SAMPLES["tone"][:400], expected)
    assert made.tobytes() == expected.tobytes()
    with pytest.raises(InputError, match=r"does not work on this machine \(no such instruction\)"):
        LogMel(LogMelSpec(), kernel="simd")


ONE_VALUE = """
import sys
import numpy as np
from sensebind.preprocess._log_mel_kernels import compiled
from sensebind.preprocess.spectrogram import LogMel
from sensebind.specs import LogMelSpec
plan = LogMel(LogMelSpec(mean=0, std=1))
made = np.empty((128, 1), np.float32)
plan.frames(np.zeros(400, np.float32), made)
np.savez(sys.argv[2], made=made)
print(sum(compiled("simd").stats.cache_hits.values()))
"""


def test_stored_code_goes_when_any_of_its_sources_changes(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "_data")
    package = shutil.copytree(
        Path(sensebind.__file__).parent, tmp_path / "sensebind", ignore=ignored
    )
    hits, values = [], []
    for _ in range(2):
        said, made = run(ONE_VALUE, tmp_path, PYTHONPATH=str(tmp_path))
        hits.append(int(said))
        values.append(float(made["made"][0, 0]))
    source = package / "preprocess" / "_log_polynomial.py"
    source.write_text(source.read_text().replace("LN2_HIGH = 0.693359375", "LN2_HIGH = 0.75"))
    said, made = run(ONE_VALUE, tmp_path, PYTHONPATH=str(tmp_path))
    assert hits == [0, 1]
    assert values[0] == values[1] == pytest.approx(np.log(2.0**-23))
    assert float(made["made"][0, 0]) == pytest.approx(values[0] - 23 * (0.75 - 0.693359375))
