# SPDX-License-Identifier: Apache-2.0
"""The SIMD log-mel kernel as NEON code, run by an emulator.

Numba's LLVM code of the kernel, made for 4 lanes in a process of its own, is translated for aarch64
and linked to a C program in the place of Numba's runtime.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

import sensebind
from sensebind.preprocess._log_mel_packed import pack
from sensebind.preprocess._log_mel_tables import tables_of
from sensebind.specs import LogMelSpec
from tests.support.log_mel import assert_as_exact_as_torchaudio, signals

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
TRIPLE = "aarch64-unknown-linux-gnu"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="translates x86-64 code"),
    pytest.mark.skipif(
        not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
        reason=f"needs {COMPILER} and {EMULATOR}: apt install gcc-aarch64-linux-gnu "
        "libc6-dev-arm64-cross qemu-user-static",
    ),
]

PRINT_CODE = """
from sensebind.preprocess import _log_mel_kernels, _simd
assert _simd.LANES == 4
print(*_log_mel_kernels.compiled("simd").inspect_llvm().values())
"""

MAIN = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The head of Numba's MemInfo, and what the kernel calls of its runtime. */
struct memory { int64_t references; void *destroy, *told; void *data; int64_t size; };
struct memory *NRT_MemInfo_alloc_aligned(int64_t size, uint32_t alignment) {
  struct memory *made = calloc(1, sizeof *made);
  made->references = 1;
  made->data = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  return made;
}
void NRT_MemInfo_call_dtor(struct memory *old) { free(old->data); free(old); }
int8_t subtract(int64_t *count, int64_t taken, int32_t condition) {
  return (*count -= taken) == 0;
}

#define FLAT(type, data, count) 0, 0, count, sizeof(type), data, count, sizeof(type)
#define FLAT_KINDS(type) void *, void *, int64_t, int64_t, type *, int64_t, int64_t
int32_t KERNEL(void *, void *, FLAT_KINDS(float),
  void *, void *, int64_t, int64_t, float *, int64_t, int64_t, int64_t, int64_t,
  FLAT_KINDS(float), FLAT_KINDS(int64_t));

int main(void) {
  int64_t n[5]; /* samples, bins, frames, numbers, indices */
  if (fread(n, sizeof n, 1, stdin) != 1) return 2;
  float *samples = malloc(4 * n[0]), *numbers = malloc(4 * n[3]), *out = calloc(n[1] * n[2], 4);
  int64_t *indices = malloc(8 * n[4]);
  if (fread(samples, 4, n[0], stdin) != n[0] || fread(numbers, 4, n[3], stdin) != n[3]
      || fread(indices, 8, n[4], stdin) != n[4]) return 3;
  void *result = 0, *error = 0;
  if (KERNEL(&result, &error, FLAT(float, samples, n[0]),
        0, 0, n[1] * n[2], 4, out, n[1], n[2], 4 * n[2], 4,
        FLAT(float, numbers, n[3]), FLAT(int64_t, indices, n[4]))) return 4;
  return fwrite(out, 4, n[1] * n[2], stdout) != n[1] * n[2];
}
"""


def code_for_four_lanes(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_CODE],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(sensebind.__file__).parents[1]),
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            "NUMBA_CPU_NAME": "x86-64",
            "NUMBA_CPU_FEATURES": "+sse2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel as a program for aarch64; fails unless it is made of NEON instructions."""
    folder = tmp_path_factory.mktemp("aarch64")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(TRIPLE).create_target_machine(
        cpu="generic", features="+neon", opt=3, reloc="pic"
    )
    code = code_for_four_lanes(folder)
    code = re.sub("target datalayout = .*", f'target datalayout = "{machine.target_data}"', code)
    code = re.sub("target triple = .*", f'target triple = "{TRIPLE}"', code)
    # The one instruction of x86's own: take away, and tell whether nothing is left.
    code = code.replace("@llvm.x86.atomic.sub.cc.i64", "@subtract").replace("i32 immarg)", "i32)")
    module = llvm.parse_assembly(code)
    kernels = [
        f.name
        for f in module.functions
        if re.match(r"_ZN9sensebind\w+12log_mel_simdB", f.name) and not f.is_declaration
    ]
    assembly = machine.emit_assembly(module)
    for instruction in ("fadd", "fsub", "fmul", "fmla", "fsqrt", "trn1|zip1"):
        assert re.search(rf"\t({instruction})\tv\d+\.[24][sd], v\d+", assembly), instruction
    (folder / "kernel.o").write_bytes(machine.emit_object(module))
    (folder / "main.c").write_text(MAIN)
    made = folder / "log_mel"
    # Numba's wrapper for Python is in the object file too; nothing calls it.
    command = [COMPILER, "-static", "-O1", f"-DKERNEL={kernels[0]}", "-o", str(made)]
    command += ["-Wl,--unresolved-symbols=ignore-all", "main.c", "kernel.o"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return made


@pytest.mark.parametrize("name", signals())
def test_neon_is_as_exact_as_torchaudio(program: Path, name: str) -> None:
    samples = signals()[name]
    numbers, indices = pack(tables_of(LogMelSpec(mean=0, std=1)))
    bins, frames = 128, 48
    sizes = np.array([samples.size, bins, frames, numbers.size, indices.size], np.int64)
    done = subprocess.run(
        [EMULATOR, str(program)],
        input=b"".join(part.tobytes() for part in (sizes, samples, numbers, indices)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = np.frombuffer(done.stdout, np.float32).reshape(bins, frames)
    assert_as_exact_as_torchaudio(name, made)
