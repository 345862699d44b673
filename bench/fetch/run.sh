#!/bin/sh
# See README.md beside this file.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/tools/node.sh"

work=/var/cache/millrace-bench
previous=
for argument in "$@"; do
  case $argument in
    --work=*) work=${argument#--work=} ;;
    -h | --help)
      cat "$root/bench/fetch/README.md"
      exit
      ;;
  esac
  if [ "$previous" = --work ]; then work=$argument; fi
  previous=$argument
done
if [ "$(id -u)" != 0 ]; then
  echo "It installs Debian packages and uses namespaces: as root, please." >&2
  exit 1
fi

# the server, the peers, the packers; what of CloudStack's agent does the work, and a Java to run it
packages="nginx-light curl aria2 nbdkit qemu-utils openssl isal pigz gzip zstd xz-utils bzip2 lbzip2 e2fsprogs \
  openjdk-17-jdk-headless libcommons-httpclient-java libcommons-io-java"
missing=
for package in $packages; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "· installing$missing"
  apt-get update -qq
  # nginx is wanted as a program, not as this machine's web server
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
sh "$root/bench/fetch/image/build.sh" "$work/image"

# a network of its own, in which there is nothing but loopback; all that is started ends with it
exec sh "$root/test/machine/run-in-machine.sh" --no-libvirt "$node" "$root/bench/fetch/main.ts" "$@"
