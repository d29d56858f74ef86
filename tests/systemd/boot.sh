#!/usr/bin/env bash
# Boots a private systemd: boot.sh SCRATCH, in a mount namespace of its own; calls itself once more in the other
# namespaces.  Ends when that systemd has ended.
set -euo pipefail
scratch=$1
w=$scratch/work

if [ -z "${2:-}" ]; then
	# A control group of ours is the root of theirs, whatever the host uses.
	mkdir "$w/cgroup" "$w/tmpfs"
	mount -t cgroup2 cgroup2 "$w/cgroup"
	group=$w/cgroup/gatepost-test.$$
	mkdir "$group"
	trap 'echo $$ >"$w/cgroup/cgroup.procs"; find "$group" -depth -type d -exec rmdir {} + || true' EXIT
	echo $$ >"$group/cgroup.procs"
	# Killed with us, whatever becomes of the trap.
	setpriv --pdeathsig KILL unshare --fork --pid --mount --uts --ipc --net --cgroup --kill-child bash "$0" "$scratch" inside
	exit
fi

ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs "$w/tmpfs"
root=$w/tmpfs/root
mkdir "$w/tmpfs/upper" "$w/tmpfs/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$w/tmpfs/upper,workdir=$w/tmpfs/work" "$root"
cd "$root"

# Nothing of the host's own services, mounts and users' names matters.
rm -rf etc/systemd/system etc/fstab etc/gatepost var/lib/gatepost
mkdir -p etc/systemd/system mnt old
tar -C "$scratch/tree" -c . | tar -x --keep-directory-symlink --no-overwrite-dir	# /lib may be a link
systemd-sysusers --root="$root" "$root/usr/lib/sysusers.d/gatepost.conf"
for u in systemd-udevd systemd-udev-trigger systemd-sysctl systemd-modules-load systemd-binfmt systemd-random-seed \
    systemd-timesyncd systemd-networkd systemd-resolved systemd-pstore systemd-hwdb-update systemd-update-utmp \
    systemd-tmpfiles-setup-dev systemd-firstboot systemd-remount-fs; do
	ln -s /dev/null "etc/systemd/system/$u.service"
done
cat >etc/systemd/system/gatepost-test.target <<X
[Unit]
Wants=gatepost-test.service
AllowIsolate=yes
X
cat >etc/systemd/system/gatepost-test.service <<X
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash /mnt/inside.sh
X

mount -t proc proc proc
mount -o bind,ro proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --bind "$scratch/out" mnt
# Device nodes, but not the host's /dev, in which journald would leave a link.
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do
	touch "dev/$d"
	mount --bind "/dev/$d" "dev/$d"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . old
umount -l old
# Else the mounts of LoadCredential= do not reach the services.
mount --make-rshared /
hostname relay
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other /lib/systemd/systemd --system --unit=gatepost-test.target \
    --log-target=journal --show-status=no </dev/null
