#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What firmware and kernel do for a virtual machine: `boot.sh DIRECTORY`, that of the server, run as the first process
# of namespaces of its own (mount, uts, ipc, pid, cgroup) and in the server's network. It becomes systemd.
set -eu
guest=$1
. "$guest/environment" # BASE NAME
root=$guest/root

mount --make-rprivate /
mkdir -p "$root" "$guest/upper" "$guest/work"
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$guest/upper,workdir=$guest/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
# The root of our cgroup namespace, as version 2, whatever the host has there.
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,size=4m tmpfs "$root/dev"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/run"
mount -t tmpfs -o mode=1777,size=256m tmpfs "$root/tmp"

mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/dev/disk/by-id" "$root/run/lock"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
while read -r name loop serial; do
    mknod -m 660 "$root/dev/$name" b 7 "${loop#/dev/loop}"
    ln -s "../../$name" "$root/dev/disk/by-id/virtio-$serial"
done <"$guest/disks"
: >"$root/dev/console"
mount --bind "$guest/console.log" "$root/dev/console"

# The configuration drive, where cloud-init finds it without a block device.
drive=$root/var/lib/cloud/seed/config_drive
mkdir -p "$drive"
mount --bind "$guest/config" "$drive"
mount -o remount,bind,ro "$drive"

tr -d - </proc/sys/kernel/random/uuid >"$root/run/machine-id"
hostname "$NAME"
echo "$NAME" >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$NAME" >"$root/etc/hosts"

cd "$root"
mkdir -p run/.old
pivot_root . run/.old
umount -l /run/.old
rmdir /run/.old
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=devcloud \
    setpriv --bounding-set -sys_boot,-sys_module,-sys_time,-syslog /lib/systemd/systemd </dev/null
