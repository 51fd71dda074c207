#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `deploy/install.sh --service` as root, and its service under a systemd that really runs:
# booted_service.sh FOLDER PYTHON, a new folder and an interpreter whose version is pinned.
# All of it happens on an overlay of this machine's files, which stay as they are. systemd is booted
# there in namespaces of its own, without devices but a recording that is played. Its cgroups have
# no controllers, so the unit's limits of memory, tasks and weight are not tried.
set -euo pipefail

folder=$1 python=$2 phase=${3:-begin} init=
root=$folder/root
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
  printf 'booted service: error: %s\n' "$*" >&2
  exit 1
}

make_root() {
  mkdir -p "$folder"/{overlay,prefix,root}
  mount -t tmpfs tmpfs "$folder/overlay"
  mkdir "$folder"/overlay/{up,work}
  mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/overlay/up,workdir=$folder/overlay/work" "$root"
  show "$folder/prefix" /opt/sensebind # on the disk: it has a gigabyte
  show "$checkout" /src
  # Out of the homes, which systemd hides from the service.
  show "$("$python" -c 'import sys; print(sys.base_prefix)')" /opt/python
  echo /opt/python/lib >"$root/etc/ld.so.conf.d/sensebind-test.conf"
  chroot "$root" ldconfig
}

# show FOLDER PLACE: in the root.
show() {
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
}

install_it() {
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  chroot "$root" /src/deploy/install.sh --service --python "/opt/python/bin/$(basename "$(readlink -f "$python")")" \
    >"$folder/install.log" 2>&1 || { tail -n 20 "$folder/install.log" >&2; die "deploy/install.sh --service failed"; }
  umount "$root/proc" "$root/dev"
  install -m 644 "$root"/opt/sensebind/lib/python3*/site-packages/sensebind/_data/sample/sample.mcap "$root/var/lib/drive.mcap"
  cat >"$root/etc/sensebind/robot.toml" <<'END'
prompts = "someone talking,a dog barking,music"
hop_s = 0.5

[devices.drive]
kind = "recording"
path = "/var/lib/drive.mcap"

[changes]
file = "/var/lib/sensebind/changes.jsonl"

[output]
file = "/var/lib/sensebind/embeddings.parquet"

[record]
file = "/var/lib/sensebind/sensors.mcap"

[health]
file = "/run/sensebind/health.json"
END
}

boot() {
  local mount
  mount=$(findmnt --first-only --noheadings --output TARGET --types cgroup2)
  cgroup=$mount/sensebind-$$
  mkdir "$cgroup"
  (
    echo "$BASHPID" >"$cgroup/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup "$0" "$folder" "$python" become_init
  ) >"$folder/boot.log" 2>&1 &
  outer=$!
  trap shut_down EXIT
  wait_for 10 has_child
  init=$(pgrep --parent "$outer")
  wait_for 60 is_up
}

shut_down() {
  inside systemctl poweroff 2>/dev/null || kill -KILL "$outer" # which ignores others
  wait "$outer" || true
  find "$cgroup" -depth -type d -exec rmdir {} +
}

has_child() { pgrep --parent "$outer" >/dev/null; }
is_up() { [[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; }

become_init() {
  local node unit
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
  done
  mkdir "$root"/dev/{pts,shm}
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  # Of this machine's services none is to run there.
  for unit in "$root"/etc/systemd/system/*.wants/*; do
    rm -f "$unit"
  done
  mkdir -p "$root/old"
  cd "$root"
  pivot_root . old
  umount -l /old
  exec env -i container=sensebind-test PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 /lib/systemd/systemd --unit=multi-user.target
}

inside() {
  nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { complain; die "waited in vain: $*"; }
    sleep 0.5
  done
}

complain() {
  [ -z "$init" ] || inside journalctl --unit sensebind --no-pager --lines 30 >&2
}

# unit_is PROPERTY=VALUE...
unit_is() {
  local wanted
  for wanted in "$@"; do
    [ "$(inside systemctl show --property "${wanted%%=*}" sensebind)" = "$wanted" ] || return 1
  done
}

# health_has TEXT
health_has() { inside cat /run/sensebind/health.json 2>/dev/null | grep -qF "$1"; }

# Records are safe within two seconds.
has_records() {
  wait_for 30 health_has '"status":"running"'
  wait_for 30 offers
  sleep 3
}

offers() { ! health_has '"offered":0'; }

try_service() {
  local pid
  inside systemctl enable --quiet --now sensebind
  has_records
  inside runuser -u sensebind -- /opt/sensebind/bin/sensebind run /etc/sensebind/robot.toml --check
  pid=$(inside systemctl show --property MainPID sensebind)

  inside sed -i 's/^hop_s = .*/hop_s = -1/' /etc/sensebind/robot.toml
  inside systemctl reload sensebind
  wait_for 10 health_has 'hop_s is -1'
  unit_is ActiveState=active "$pid" || die "a configuration that was refused ended the service"
  inside sed -i 's/^hop_s = .*/hop_s = 0.5/' /etc/sensebind/robot.toml
  say "started, and kept on by a configuration that is refused"

  inside systemctl kill --signal KILL sensebind
  wait_for 60 unit_is NRestarts=1 ActiveState=active
  has_records
  inside systemctl kill --signal STOP sensebind
  wait_for 90 unit_is NRestarts=2 ActiveState=active
  # Read to its end: a journal that is cut off by grep -q fails by SIGPIPE.
  inside journalctl --unit sensebind --no-pager | grep "Failed with result 'watchdog'" >/dev/null ||
    { complain; die "it was not the watchdog"; }
  has_records
  say "started again after kill -9, and by the watchdog after it hung"

  inside logrotate --force /etc/logrotate.d/sensebind
  inside systemctl stop sensebind
  unit_is ActiveState=inactive Result=success || { complain; die "it did not end well"; }
  health_has '"status":"stopped"' || die "its end is not told"
  inside systemctl start --no-block sensebind
  sleep 0.5
  inside systemctl stop sensebind
  unit_is ActiveState=inactive Result=success || { complain; die "it did not end well before it was ready"; }
  [ -z "$(inside find /var/lib/sensebind -name '*.part*')" ] || die "files were left unfinished"
  inside /opt/sensebind/bin/python -c '
from pathlib import Path
import pyarrow.parquet as pq
rows = [pq.read_table(path).num_rows for path in Path("/var/lib/sensebind").glob("*.parquet")]
assert len(rows) >= 3 and all(rows), rows
print("  rotated, and stopped; files of", " and ".join(map(str, sorted(rows))), "records")'
}

say() { printf '  %s\n' "$*"; }

case $phase in
  begin)
    [ "$(id -u)" -eq 0 ] || die "needs root; run it with sudo"
    unshare --mount --propagation private "$0" "$folder" "$python" mounted
    ;;
  mounted)
    make_root
    install_it
    boot
    say "$(inside systemctl --version | head -n 1)"
    try_service
    ;;
  become_init) become_init ;;
  *) die "unknown phase '$phase'" ;;
esac
