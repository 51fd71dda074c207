# SPDX-License-Identifier: Apache-2.0
# Helpers of .ci/run: interpreters, cached environments, system packages, test stages.
# shellcheck shell=bash

cache=${SENSEBIND_CI_CACHE:-$HOME/.cache/sensebind-ci}

die() {
  printf 'ci: error: %s\n' "$*" >&2
  exit 1
}

say() { printf '  %s\n' "$*"; }

# find_python 3.10 -> path of an interpreter of that version that really starts.
find_python() {
  local version=$1 candidate
  local candidates=("python$version" "$HOME/.pyenv/versions/$version".*/bin/python
    "/usr/bin/python$version" "/usr/local/bin/python$version" "/opt/python/$version/bin/python")
  for candidate in "${candidates[@]}"; do
    candidate=$(command -v "$candidate" 2>/dev/null) || continue
    # A version manager's shim may be on the PATH for a version it does not have selected.
    if "$candidate" -c "import sys, venv, ensurepip; assert '%d.%d' % sys.version_info[:2] == '$version'" 2>/dev/null; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# require_python 3.10: as find_python, but installs the interpreter if the system offers it.
require_python() {
  local version=$1
  find_python "$version" && return 0
  system_packages "python$version" "python$version-venv" >&2
  find_python "$version" || die "no Python $version found or installable; install it and put python$version on PATH"
}

# system_packages NAME...: installs the Debian packages that are missing.
system_packages() {
  local missing=() name prefix=()
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "apt-get install ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || prefix=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  "${prefix[@]}" apt-get update -qq >"$work/apt.log" 2>&1 &&
    "${prefix[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$work/apt.log" 2>&1 ||
    { tail -n 20 "$work/apt.log" >&2; die "could not install ${missing[*]}; run: sudo apt-get install ${missing[*]}"; }
}

# environment NAME VERSION PIP_ARGUMENT...: sets $venv to a cached environment of that name.
# Its key is what decides its content, so it is made anew when pyproject.toml, the constraints or
# the interpreter change, and another checkout shares it. The checkout itself is linked in on every
# use, without its dependencies.
environment() {
  local name=$1 version=$2 python key
  shift 2
  python=$(require_python "$version")
  key=$({
    "$python" -VV
    printf '%s\n' "${@//"$root"/.}"
    sed '/^\[tool\.mypy/,$d' "$root/pyproject.toml" # all but the settings of tools
    cat "$root"/.ci/constraints-*.txt "$root"/deploy/constraints/*.txt
  } | sha256sum)
  venv=$cache/$name-py$version-${key:0:16}
  hold "$venv"
  if [ ! -e "$venv/.complete" ]; then
    make_room 8
    say "creating the environment $name (Python $version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    pip_install 'hatchling>=1.25' "$@"
    touch "$venv/.complete"
  fi
  pip_install --no-deps --no-build-isolation --editable "$root"
  export PATH=$venv/bin:$PATH
}

# pip_install ARGUMENT...: into $venv, quiet unless it fails.
pip_install() {
  "$venv/bin/python" -m pip install "$@" >"$work/pip.log" 2>&1 ||
    { tail -n 30 "$work/pip.log" >&2; die "pip install $* failed"; }
}

# hold FOLDER: it is this shell's alone until the shell ends; other runs may share the cache. The
# time of the lock tells when the folder was last used. Locks stay when folders go: whoever waits for
# one that was removed and whoever makes it anew would both have the folder.
hold() {
  local lock
  mkdir -p "$cache"
  exec {lock}>"$1.lock"
  flock --nonblock "$lock" || { say "waiting for a run that uses $1" && flock "$lock"; }
  touch "$1.lock"
}

free_gb() { echo $(($(df -Pk "$1" | awk 'NR == 2 { print $4 }') >> 20)); }

# make_room GB: removes from the cache what no run has used for a fortnight and then, until so much
# is free, what was not used for longest. What a run holds stays.
make_room() {
  local lock
  mkdir -p "$cache"
  find "$cache" -maxdepth 1 -name '*.lock' -printf '%T@ %p\n' | sort -n | cut -d' ' -f2- |
    while IFS= read -r lock; do
      [ -n "$(find "$lock" -mtime +14)" ] || [ "$(free_gb "$cache")" -lt "$1" ] || continue
      # In this order: what was removed in part must not look complete.
      flock --nonblock "$lock" rm -rf "${lock%.lock}/.complete" "${lock%.lock}" || continue
    done
  [ "$(free_gb "$cache")" -ge "$1" ] ||
    die "$(free_gb "$cache") GB are free at $cache, and $1 are needed; make room or set SENSEBIND_CI_CACHE"
}

# run_tests STAGE PYTEST_ARGUMENT...: pytest, then the stage's list of skips, or that of the stage
# that SENSEBIND_SKIPS names.
run_tests() {
  local stage=$1 report=$work/$1.xml
  shift
  # What tests write goes with the run: some of their recordings have hundreds of megabytes.
  python -m pytest -p no:cacheprovider -q --basetemp="$work/$stage" --junitxml="$report" "$@"
  python "$root/.ci/skips.py" "$report" "$root/tests/expected_skips" "${SENSEBIND_SKIPS:-$stage}"
}
