# SPDX-License-Identifier: Apache-2.0
# pycuda without a CUDA toolkit, for the EMULATED driver of the tests: its sources are on PyPI, the
# headers in NVIDIA's wheels, and a library to link with is made here. Sourced by .ci/run.
# shellcheck shell=bash

pycuda=2026.1
cuda_headers=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88 nvidia-cuda-profiler-api==13.0.85)

# install_pycuda: into $venv; built once for an interpreter and kept beside the environments.
install_pycuda() {
  local wheels
  system_packages gcc g++ libc6-dev binutils # the tests compile the driver
  wheels=$cache/pycuda-$pycuda-$("$venv/bin/python" -c 'import sys; print(sys.implementation.cache_tag)')
  hold "$wheels"
  [ -e "$wheels/.complete" ] || build_pycuda "$wheels"
  pip_install "$wheels"/pycuda-*.whl
}

build_pycuda() {
  local wheels=$1 home=$work/pycuda settings=${XDG_CONFIG_HOME:-$HOME/.config} # pip's, of this user
  say "building pycuda $pycuda"
  rm -rf "$wheels"
  mkdir -p "$home" "$wheels"
  persistently pip_install --no-deps --target "$home/cuda" "${cuda_headers[@]}"
  gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$home/libcuda.so" -x c /dev/null
  # What its build reads besides the sources. Speed is of no interest to an emulated GPU.
  cat >"$home/.aksetup-defaults.py" <<EOF
CUDA_ROOT = '$home/cuda/nvidia/cu13'
CUDADRV_LIB_DIR = ['$home']
CUDA_ENABLE_CURAND = False
CXXFLAGS = ['-O0']
EOF
  HOME=$home XDG_CONFIG_HOME=$settings PIP_CACHE_DIR=$home/pip \
    persistently "$venv/bin/python" -m pip wheel --no-deps --no-binary pycuda \
    --wheel-dir "$wheels" "pycuda==$pycuda" >"$work/pip.log" 2>&1 ||
    { tail -n 30 "$work/pip.log" >&2; die "pycuda $pycuda does not build"; }
  touch "$wheels/.complete"
}
