#!/bin/sh
# What this machine can do at most: bound.sh network URL | disk FILE BYTES TARGET | unpack FILE UNPACKER…
set -eu
what=$1
shift
case $what in
  network) exec curl -sS --fail -o /dev/null "$1" ;;
  disk) exec dd if="$1" of="$3" bs=4M count="$2" iflag=count_bytes oflag=direct conv=fsync status=none ;;
  unpack)
    file=$1
    shift
    exec "$@" <"$file" >/dev/null
    ;;
esac
