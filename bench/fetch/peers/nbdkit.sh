#!/bin/sh
# nbdkit.sh URL TARGET STORE [FILTER]: the image as a disk from afar, copied by qemu-img. It verifies nothing.
set -eu
. "${0%/*}/commit.sh"
url=$1 target=$2 store=$3 filter=${4:-}
format=raw
if [ "$store" = raw ]; then format=qcow2; fi
export format target
# nbdkit has a shell run this, with the disk's address in $uri
# shellcheck disable=SC2016
nbdkit --unix - ${filter:+--filter="$filter"} curl "$url" \
  --run 'qemu-img convert -t none -W -m 16 -f "$format" -O raw "$uri" "$target.part"'
commit "$target.part" "$target" qcow2
