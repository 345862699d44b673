#!/bin/sh
# The first command of a lab host (see lab-host.ts): waits for its network card, takes its name and address, and stays.
set -eu
name=$1
address=$2
hostname "$name"
tries=0
until [ -e /sys/class/net/eth0 ]; do
  tries=$((tries + 1))
  [ "$tries" -le 200 ] || exit 1
  sleep 0.05
done
ip address add "$address/24" dev eth0
ip link set eth0 up
# libvirt looks its own host name up at every start of a guest
echo "$address $name" >>/etc/hosts
echo "READY $TMPDIR"
exec sleep infinity
