#!/bin/sh
# Runs a command in a machine of its own: sh test/machine/run-in-machine.sh [--no-libvirt] COMMAND [ARGUMENT…]
#
# The command, as root, has its own loopback (and no other network), ports, processes, host name and libvirt; the files
# of the real machine are there, but libvirt's directories and /run are fresh. Everything that it starts dies with it,
# so runs can go side by side and nothing of the real machine's libvirt, networks or databases is touched.
# TMPDIR points to a directory of the machine's own that guests may reach, HOME to an empty one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" != 0 ]; then
  echo "A machine for tests needs root: its namespaces and libvirt do." >&2
  exit 1
fi

# what a killed run left: nobody holds its lock any more
for old in /var/tmp/millrace-machine-*; do
  [ -e "$old/lock" ] || continue
  if flock --nonblock "$old/lock" true; then rm -rf "$old"; fi
done

directory=$(mktemp -d /var/tmp/millrace-machine-XXXXXX)
# the inner shell is the machine's first process: when it dies, for whatever reason, so does all that runs in there
exec setpriv --pdeathsig KILL \
  unshare --mount --pid --uts --net --ipc --fork --kill-child --mount-proc \
  sh "$here/first-process.sh" "$directory" "$@"
