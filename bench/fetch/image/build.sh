#!/bin/sh
# build.sh DIRECTORY: makes the image that bench/fetch moves about, from packages of Debian's main section, into DIRECTORY:
# image.raw (ext4 of 2 GiB, about a quarter of it zeros), image.qcow2 (not compressed), the packed forms of it, and
# small.qcow2 (the first quarter). What is there already is kept; what is half done never has its final name.
#
# The packers run at levels that are quick on two cores and so pack a little less than an archive made for publishing:
# gzip 6, zstd 3, xz 2 with blocks of 6 MiB (which is what lets it be unpacked on several cores), bzip2 9.
set -eu
directory=$1
mkdir -p "$directory"
cd "$directory"

# a server's and a desktop's larger programs: machine code, byte code, text, modules, data
packages="openjdk-17-jre-headless chromium libreoffice-core libllvm14 gcc-12 postgresql-15 git qemu-system-x86 \
  vim-runtime libicu72 perl-modules-5.36 locales libc6 systemd libpython3.11-stdlib cloud-init coreutils bash dpkg"
# the kernel's package has its version in the name
kernel() { apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }'; }

if ! [ -e image.raw ]; then
  echo "· the image: fetching Debian packages"
  rm -rf packages tree image.raw.part
  mkdir packages tree
  # apt drops root's rights for the download when it can write here as its own user
  chmod 777 packages
  (cd packages && apt-get download -qq $packages "$(kernel)")
  echo "· the image: unpacking them into a file system"
  for package in packages/*.deb; do dpkg-deb --extract "$package" tree; done
  mke2fs -q -t ext4 -L millrace-bench -d tree image.raw.part 2G
  rm -rf packages tree
  mv image.raw.part image.raw
fi

# make NAME COMMAND…: the command's output becomes the file
make() {
  name=$1
  shift
  [ -e "$name" ] && return
  echo "· the image: $name"
  "$@" >"$name.part"
  mv "$name.part" "$name"
}

if ! [ -e image.qcow2 ]; then
  echo "· the image: image.qcow2"
  qemu-img convert -f raw -O qcow2 image.raw image.qcow2.part
  mv image.qcow2.part image.qcow2
fi
if ! [ -e small.qcow2 ]; then
  quarter=$(($(stat -c %s image.raw) / 4))
  truncate -s "$quarter" small.raw
  dd if=image.raw of=small.raw bs=1M count="$quarter" iflag=count_bytes conv=notrunc,sparse status=none
  qemu-img convert -f raw -O qcow2 small.raw small.qcow2.part
  rm small.raw
  mv small.qcow2.part small.qcow2
fi
make image.qcow2.gz pigz -c -6 image.qcow2
make image.qcow2.zst zstd -q -c -3 -T0 image.qcow2
make image.qcow2.xz xz -c -2 -T0 --block-size=6MiB image.qcow2
make image.qcow2.bz2 lbzip2 -c -9 image.qcow2
