#!/bin/sh
# Ends instances that this host may not run any longer: guard.sh HOLDS PIDS
# HOLDS has a file ID.hold for each of them, one line: the second of /proc/uptime until which it may run, its name, its
# UUID. The agent moves that second forward for as long as it may. This program is no child of the agent, so that it does
# its work when the agent has died, hangs or is stopped. PIDS is where libvirt keeps the process numbers of its guests.
set -u
holds=$1
pids=$2
exec </dev/null >/dev/null 2>&1
exec 9>"$holds/guard.lock"
flock -n 9 || exit 0

end() {
  read -r pid <"$pids/$1.pid" || [ -n "${pid:-}" ] || return 0
  # the number may have become another process's
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qx "$2" || return 0
  kill -9 "$pid"
}

idle=0
while [ "$idle" -lt 60 ]; do
  read -r now _ </proc/uptime
  now=${now%.*}
  echo "$now" >"$holds/guard.alive"
  idle=$((idle + 1))
  for hold in "$holds"/*.hold; do
    [ -e "$hold" ] || continue
    idle=0
    read -r until name uuid <"$hold" || continue
    [ "$now" -gt "$until" ] && end "$name" "$uuid"
  done
  sleep 1 9>&-
done
