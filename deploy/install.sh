#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs SenseBind into an environment of its own, on a Jetson or another computer with Linux.
# Run it again to update: what is there is kept or replaced, never doubled. --help lists options.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'END'
usage: install.sh [OPTION...]

  --prefix DIR      environment to make or update           (default: /opt/sensebind)
  --from WHEEL      wheel or checkout to install            (default: the checkout of this script)
  --jetpack 6|7     versions to install                     (default: by Jetson Linux, else Python)
  --extras LIST     of audio,serial,vision,realsense,calibrate
                    (default: audio,serial,vision,realsense)
  --gpu, --cpu      with pycuda, built here, or without     (default: --gpu on a Jetson)
  --python PROGRAM  interpreter of the environment          (default: the system's for the JetPack)
  --service         also the systemd unit, udev rules, rotation and /etc/sensebind; needs root
  --dry-run         only say what would be done
END
}

die() {
  printf 'install.sh: error: %s\n' "$*" >&2
  exit 1
}

say() { printf '== %s\n' "$*"; }

# does COMMAND...: what changes the computer goes through here.
does() {
  if [ -n "$dry" ]; then
    printf '+'
    printf ' %q' "$@"
    printf '\n'
  else
    "$@"
  fi
}

read_options() {
  prefix=/opt/sensebind from=$(dirname "$here") jetpack="" extras=audio,serial,vision,realsense
  gpu="" python="" service="" dry=""
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix | --from | --jetpack | --extras | --python)
        [ $# -ge 2 ] || die "$1 needs a value; see --help"
        declare -g "${1#--}=$2"
        shift
        ;;
      --gpu) gpu=yes ;;
      --cpu) gpu=no ;;
      --service) service=yes ;;
      --dry-run) dry=yes ;;
      --help | -h) usage && exit 0 ;;
      *) die "unknown option '$1'; see --help" ;;
    esac
    shift
  done
  [[ $jetpack =~ ^[67]?$ ]] || die "--jetpack is '$jetpack', expected 6 or 7"
  [[ $prefix == /* ]] || prefix=$PWD/$prefix
  [ -e "$from" ] || die "--from: there is no $from"
  local extra
  for extra in ${extras//,/ }; do
    [[ ,audio,serial,vision,realsense,calibrate, == *",$extra,"* ]] ||
      die "--extras: '$extra' is none of audio, serial, vision, realsense, calibrate"
  done
}

# Which JetPack this Jetson has, "" if it is none: Jetson Linux 36 is of JetPack 6, 38 and on of 7.
jetpack_here() {
  local release=${SENSEBIND_TEGRA_RELEASE:-/etc/nv_tegra_release} major
  [ -r "$release" ] || return 0
  major=$(sed -nE '1s/^# R([0-9]+).*/\1/p' "$release")
  case $major in
    36) echo 6 ;;
    38 | 39) echo 7 ;;
    *) die "$release tells of Jetson Linux '${major:-unknown}'; SenseBind needs JetPack 6 or 7" ;;
  esac
}

choose() {
  local found version
  found=$(jetpack_here)
  [ -n "$gpu" ] || gpu=$([ -n "$found" ] && echo yes || echo no)
  jetpack=${jetpack:-$found}
  if [ -z "$python" ]; then
    case $jetpack in
      6) python=$(command -v python3.10 || true) ;;
      7) python=$(command -v python3.12 || true) ;;
      *) python=$(command -v python3 || true) ;;
    esac
  fi
  [ -n "$python" ] || die "${jetpack:+JetPack $jetpack has Python $(python_of "$jetpack"), }no such python3 was found; name one with --python"
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    die "--python: $python does not start"
  if [ -z "$jetpack" ]; then
    case $version in
      3.10) jetpack=6 ;;
      3.12) jetpack=7 ;;
      *) die "tried versions are pinned for Python 3.10 and 3.12, $python is $version; name one with --python" ;;
    esac
  fi
  [ "$version" = "$(python_of "$jetpack")" ] ||
    die "the versions of JetPack $jetpack are for Python $(python_of "$jetpack"), $python is $version; name another with --python"
  constraints=$here/constraints/jetpack$jetpack.txt
}

python_of() { [ "$1" = 6 ] && echo 3.10 || echo 3.12; }

# Everything that may be missing is looked for before anything is changed.
check_needs() {
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    die "$python cannot make environments; install: sudo apt install python3-venv"
  if [ -e "$prefix" ] && [ ! -e "$prefix/pyvenv.cfg" ] && [ -n "$(ls -A "$prefix")" ]; then
    die "$prefix is there and no environment; name another with --prefix, or move it away"
  fi
  if [ "$gpu" = yes ]; then
    find_toolkit
    command -v g++ >/dev/null || die "pycuda needs a compiler; install: sudo apt install g++ python3-dev"
    local header
    header=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h
    [ -e "$header" ] || die "pycuda needs $header; install: sudo apt install python3-dev"
  fi
  # Looked for, not imported: in a container that is being built its libraries are not there yet.
  if [ -n "$(jetpack_here)" ] && [ "$gpu" = yes ]; then
    "$python" -I -c 'import importlib.util as u, sys; sys.exit(u.find_spec("tensorrt") is None)' ||
      die "$python sees no TensorRT, which comes with JetPack; install: sudo apt install python3-libnvinfer"
  fi
  if [ -n "$service" ] && [ -z "$dry" ]; then
    [ "$(id -u)" -eq 0 ] || die "--service changes the system; run it with sudo"
    [ "$prefix" = /opt/sensebind ] || die "--service: the unit starts /opt/sensebind, not $prefix"
  fi
  if [ -n "$service" ]; then
    local home
    home=$("$python" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
    [[ $home/ != /home/* && $home/ != /root/* ]] ||
      die "--service: $python lies in $home, and systemd hides homes from the service; name the system's with --python"
  fi
}

# The toolkit that pycuda is built with, by the nvcc on the PATH: that of CUDA_HOME, or else that of
# the PATH, or the usual one. An nvcc on the PATH may be a wrapper, without a toolkit around it.
find_toolkit() {
  local nvcc toolkit toolkits=("${CUDA_HOME:-}")
  if [ -z "${CUDA_HOME:-}" ]; then
    nvcc=$(command -v nvcc || true)
    toolkits=("${nvcc:+$(dirname "$(dirname "$(realpath "$nvcc")")")}" /usr/local/cuda)
  fi
  for toolkit in "${toolkits[@]}"; do
    if [ -x "$toolkit/bin/nvcc" ] && [ -e "$toolkit/include/cuda.h" ]; then
      export PATH=$toolkit/bin:$PATH
      return 0
    fi
  done
  die "pycuda is built with CUDA's toolkit, whose nvcc and cuda.h were not found; on a Jetson: sudo apt install nvidia-jetpack; elsewhere set CUDA_HOME; or leave the GPU out with --cpu"
}

# A sourced ROS puts its packages before the environment's; pip must not count them as installed.
pip() { does env -u PYTHONPATH PIP_CONSTRAINT="$constraints" "$prefix/bin/python" -m pip --disable-pip-version-check "$@"; }

install_packages() {
  say "environment $prefix: $("$python" -V), versions of JetPack $jetpack"
  if ! is_usable "$prefix"; then
    # With the system's packages, among them JetPack's tensorrt.
    does env -u PYTHONPATH "$python" -m venv --clear --system-site-packages "$prefix"
  fi
  pip install --quiet --only-binary=:all: "$(realpath "$from")[$extras]"
  # pip takes a wheel of the same version for installed.
  [ -d "$from" ] || pip install --quiet --no-deps --force-reinstall "$(realpath "$from")"
  if [ "$gpu" = yes ]; then
    say "pycuda, from source: some minutes"
    pip install --quiet --no-binary=pycuda pycuda cuda-bindings onnx
  fi
}

# is_usable ENVIRONMENT: whether it is whole, sees the system's packages, and is of this Python.
is_usable() {
  grep -qs '^include-system-site-packages = true' "$1/pyvenv.cfg" &&
    [ "$(env -u PYTHONPATH "$1/bin/python" -c 'import pip, sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$(python_of "$jetpack")" ]
}

# The desktop's TensorRT from pip would hide JetPack's.
check_tensorrt() {
  [ -n "$(jetpack_here)" ] && [ -z "$dry" ] || return 0
  ! compgen -G "$prefix/lib/python3*/site-packages/tensorrt*" >/dev/null ||
    die "a TensorRT from pip hides JetPack's: $prefix/bin/pip uninstall -y tensorrt tensorrt-cu12 tensorrt-cu13"
}

install_service() {
  say "service: user sensebind, unit, udev rules, /etc/sensebind/robot.toml"
  local groups group
  read -ra groups <<<"$(sed -n 's/^SupplementaryGroups=//p' "$here/systemd/sensebind.service")"
  for group in "${groups[@]}"; do
    getent group "$group" >/dev/null || does groupadd --system "$group" # without it the unit fails
  done
  getent passwd sensebind >/dev/null ||
    does useradd --system --user-group --home-dir /var/lib/sensebind --shell /usr/sbin/nologin sensebind
  # Before its first start: for plans that are built ahead of it, and for --check.
  does install -d -o sensebind -g sensebind /var/lib/sensebind /var/cache/sensebind /run/sensebind
  does install -D -m 644 "$here/systemd/sensebind.service" /etc/systemd/system/sensebind.service
  does install -D -m 644 "$here/udev/70-sensebind.rules" /etc/udev/rules.d/70-sensebind.rules
  does install -D -m 644 "$here/logrotate/sensebind" /etc/logrotate.d/sensebind
  [ -e /etc/sensebind/robot.toml ] ||
    does install -D -m 644 "$here/robot.toml" /etc/sensebind/robot.toml
  if [ -d /run/systemd/system ]; then
    does systemctl daemon-reload
    does udevadm control --reload
    does udevadm trigger --subsystem-match=usb --subsystem-match=tty
  else
    say "systemd does not run here: nothing was loaded"
  fi
  say "edit /etc/sensebind/robot.toml, then: systemctl enable --now sensebind"
}

main() {
  read_options "$@"
  choose
  check_needs
  install_packages
  check_tensorrt
  [ -z "$service" ] || install_service
  say "sensebind doctor"
  does "$prefix/bin/sensebind" doctor
}

main "$@"
