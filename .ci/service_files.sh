#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows the files of deploy/ to the programs that read them: service_files.sh FOLDER, which is new.
# Each must also refuse a broken one, so that its silence means something.
set -euo pipefail

folder=$1
deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")/../deploy" && pwd)
rules=/run/udev/rules.d
exposure=30 # of 100, systemd's measure of what a service may do; 92 without any hardening

die() {
  printf 'service files: error: %s\n' "$*" >&2
  exit 1
}

# unit_is_good FILE
unit_is_good() {
  local said
  said=$(systemd-analyze verify "$1" 2>&1) || { echo "$said" && return 1; }
  [ -z "$said" ] || { echo "$said" && return 1; }
}

# rules_are_good FILE: udev tells of each line it ignores.
rules_are_good() {
  local name said
  name=99-test-$$.rules
  mkdir -p "$rules"
  cp "$1" "$rules/$name"
  said=$(udevadm test --action=add /sys/class/mem/null 2>&1) || true
  rm -f "$rules/$name"
  [[ $said == *"$name"* ]] || { echo "udev did not read $name" && return 1; }
  ! grep "$name:" <<<"$said"
}

# rotation_is_good FILE
rotation_is_good() {
  local said
  said=$(logrotate --debug "$1" 2>&1) || { echo "$said" && return 1; }
  ! grep -i '^error' <<<"$said"
}

mkdir -p "$folder"
# What it starts is not installed here.
sed 's#/opt/sensebind/bin/sensebind#/bin/true#' "$deploy/systemd/sensebind.service" >"$folder/sensebind.service"
unit_is_good "$folder/sensebind.service" || die "systemd does not take the unit"
sed 's/^WatchdogSec=.*/WatchdogSec=soon/' "$folder/sensebind.service" >"$folder/broken.service"
! unit_is_good "$folder/broken.service" >/dev/null || die "systemd takes any unit"
systemd-analyze security --offline=true --threshold=$exposure "$folder/sensebind.service" >"$folder/security" ||
  die "the unit is exposed to more than $exposure of 100: $(tail -n 1 "$folder/security")"

rules_are_good "$deploy/udev/70-sensebind.rules" || die "udev does not take the rules"
echo 'SUBSYSTEM=="usb, GROUP=' >"$folder/broken.rules"
! rules_are_good "$folder/broken.rules" >/dev/null || die "udev takes any rules"

# Whose files they are is no question here, and there is no such user.
grep -v '^ *su ' "$deploy/logrotate/sensebind" >"$folder/logrotate"
chmod 644 "$folder/logrotate"
rotation_is_good "$folder/logrotate" || die "logrotate does not take its file"
sed 's/copytruncate/copytrunctate/' "$folder/logrotate" >"$folder/broken-logrotate"
chmod 644 "$folder/broken-logrotate"
! rotation_is_good "$folder/broken-logrotate" >/dev/null || die "logrotate takes any file"

printf '  unit, udev rules and rotation are taken; %s\n' "$(tail -n 1 "$folder/security" | sed 's/^[^A-Za-z]*//')"
