#!/bin/sh
# Runs inside the fresh namespaces (see run-in-machine.sh): furnishes the machine, runs the command, cleans up.
set -eu
directory=$1
shift
libvirt=yes
if [ "${1:-}" = --no-libvirt ]; then
  libvirt=no
  shift
fi

# held as long as the machine lives; it gets its name only once it is held, so no other run can think it abandoned
exec 9>"$directory/lock.new"
flock 9
mv "$directory/lock.new" "$directory/lock"

name=machine-$(echo "${directory##*-}" | tr '[:upper:]' '[:lower:]')
hostname "$name"
mount --make-rprivate /
# sysfs shows the network of whoever mounts it; mounting it afresh also hides the real machine's control groups
umount -l /sys 2>/dev/null || true
mount -t sysfs sysfs /sys
ip link set lo up

chmod 0755 "$directory"
mkdir -p "$directory/tmp" "$directory/home" "$directory/run" "$directory/etc-libvirt/qemu/networks" "$directory/etc-libvirt/storage" \
  "$directory/log/qemu" "$directory/cache" "$directory/lib/images" "$directory/lib/qemu" "$directory/lib/dnsmasq"
chmod 1777 "$directory/tmp"
# libvirt looks its own host name up at every start of a guest: unresolved, each would wait ten seconds for DNS
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$directory/hosts"
: >"$directory/resolv.conf"
mount --bind "$directory/hosts" /etc/hosts
[ ! -e /etc/resolv.conf ] || mount --bind "$directory/resolv.conf" /etc/resolv.conf
mount -t tmpfs -o mode=0755 tmpfs /run
# an agent's own directory, with the places where it mounts shares
mkdir -p /var/lib/millrace
mount -t tmpfs -o mode=0755 tmpfs /var/lib/millrace
mkdir -p /run/lock /run/libvirt /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt

# a /dev/kvm that libvirt's guests may open, as udev makes it: when they may not, libvirt asks QEMU anew what it can do
# before every use, half a second each time
if [ -e /dev/kvm ] && getent group kvm >/dev/null; then
  mknod -m 0660 /run/kvm c "$(printf '%d' "0x$(stat -c %t /dev/kvm)")" "$(printf '%d' "0x$(stat -c %T /dev/kvm)")"
  chgrp kvm /run/kvm
  mount --bind /run/kvm /dev/kvm
fi

# libvirt's settings as installed, its guests, networks and pools not
for file in /etc/libvirt/*.conf; do [ ! -e "$file" ] || cp "$file" "$directory/etc-libvirt/"; done
if id libvirt-qemu >/dev/null 2>&1; then chown libvirt-qemu "$directory/lib/qemu"; fi
chmod 0750 "$directory/lib/qemu"
mount --bind "$directory/etc-libvirt" /etc/libvirt
mount --bind "$directory/lib" /var/lib/libvirt
mount --bind "$directory/log" /var/log/libvirt
mount --bind "$directory/cache" /var/cache/libvirt

export TMPDIR="$directory/tmp" HOME="$directory/home" MILLRACE_TEST_MACHINE="$name"
if [ "$libvirt" = yes ]; then
  virtlogd -d 9>&-
  libvirtd -d 9>&-
  tries=0
  until virsh -q -c qemu:///system list >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
      echo "libvirtd did not answer within 60 s in the machine for tests:" >&2
      virsh -c qemu:///system list >&2 || true
      exit 1
    fi
    sleep 0.2
  done
fi

# a first process gets no signal it has no handler for: Ctrl-C reaches the command, which decides how to end
trap : INT TERM
code=0
"$@" 9>&- || code=$?
trap '' TERM
kill -KILL -1 2>/dev/null || true
umount -l /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt 2>/dev/null || true
cd /
rm -rf "$directory" 2>/dev/null || true
exit "$code"
