# SPDX-License-Identifier: Apache-2.0
# Helpers of .ci/run: interpreters, cached environments, system packages, test stages.
# shellcheck shell=bash

cache=${SENSEBIND_CI_CACHE:-$HOME/.cache/sensebind-ci}

die() {
  printf 'ci: error: %s\n' "$*" >&2
  exit 1
}

say() { printf '  %s\n' "$*"; }

# persistently COMMAND...: for what needs a network, or a lock that others hold for a moment: if it
# fails, again after 10 s and after another minute.
persistently() {
  local pause
  for pause in 10 60; do
    "$@" && return 0
    say "again in $pause s: $*"
    sleep "$pause"
  done
  "$@"
}

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
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "apt-get install ${missing[*]}"
  persistently apt_install "${missing[@]}" ||
    die "could not install ${missing[*]}; run: sudo apt-get install ${missing[*]}"
}

# apt_install NAME...: quiet unless it fails. Another apt-get may hold dpkg's lock for minutes; for
# the lock of the lists there is no waiting but to try again.
apt_install() {
  local apt=(apt-get -qq -o Acquire::Retries=5 -o DPkg::Lock::Timeout=600)
  [ "$(id -u)" -eq 0 ] || apt=(sudo -n "${apt[@]}")
  export DEBIAN_FRONTEND=noninteractive
  if "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; then return 0; fi >"$work/apt.log" 2>&1
  tail -n 20 "$work/apt.log" >&2
  return 1
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
  # Its interpreter is a link to one that may have gone since.
  if [ ! -e "$venv/.complete" ] || [ ! -x "$venv/bin/python" ]; then
    make_room 8
    say "creating the environment $name (Python $version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    persistently pip_install 'hatchling>=1.25' "$@"
    touch "$venv/.complete"
  fi
  pip_install --no-deps --no-build-isolation --editable "$root"
  export PATH=$venv/bin:$PATH
}

# pip_install ARGUMENT...: into $venv, quiet unless it fails.
pip_install() {
  "$venv/bin/python" -m pip install "$@" >"$work/pip.log" 2>&1 && return 0
  tail -n 30 "$work/pip.log" >&2
  printf 'ci: error: pip install %s failed\n' "$*" >&2
  return 1
}

# hold FOLDER: it is this shell's alone until the shell ends; other runs may share the cache. The
# time of the lock tells when the folder was last used. Locks stay when folders go: whoever waits for
# one that was removed and whoever makes it anew would both have the folder.
held=()
hold() {
  local lock
  mkdir -p "$cache"
  exec {lock}>"$1.lock"
  flock --nonblock "$lock" || {
    say "waiting for a run that uses $1"
    flock --timeout 7200 "$lock" || die "$1 is in use for two hours: end what holds $1.lock, or set SENSEBIND_CI_CACHE"
  }
  held+=("$lock")
  touch "$1.lock"
}

# without_locks COMMAND...: what it starts and leaves behind does not go on holding our folders.
without_locks() (
  local lock
  for lock in "${held[@]}"; do
    exec {lock}>&-
  done
  exec "$@"
)

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
  without_locks python -m pytest -p no:cacheprovider -q --basetemp="$work/$stage" --junitxml="$report" "$@"
  python "$root/.ci/skips.py" "$report" "$root/tests/expected_skips" "${SENSEBIND_SKIPS:-$stage}"
}
