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

# Ready when its user data has been done: the network is there already, and the rest of cloud-init has nothing to do.
cat >"$root/etc/cloud/cloud.cfg.d/99-devcloud.cfg" <<END
datasource_list: [ConfigDrive]
network: {config: disabled}
manage_etc_hosts: false
ssh_deletekeys: false
ssh_genkeytypes: []
cloud_init_modules: [migrator, seed_random, bootcmd, write-files, set_hostname, users-groups]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, final-message]
END

# What would touch the host's kernel, or wait for hardware.
mkdir -p "$root/run/systemd/system"
for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service systemd-growfs-root.service \
    systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service \
    systemd-resolved.service systemd-logind.service getty.target console-getty.service cloud-init-hotplugd.socket \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
    ln -s /dev/null "$root/run/systemd/system/$unit"
done
# journald itself writes to terminals only.
mkdir -p "$root/run/systemd/system/sysinit.target.wants"
cat >"$root/run/systemd/system/devcloud-console.service" <<END
[Unit]
Description=The journal on the console
DefaultDependencies=no
After=systemd-journald.service
[Service]
ExecStart=/usr/bin/journalctl --boot --lines=all --follow --output=short-iso
StandardOutput=append:/dev/console
END
ln -s ../devcloud-console.service "$root/run/systemd/system/sysinit.target.wants/"

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
