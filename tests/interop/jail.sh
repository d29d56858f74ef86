# A Debian package that may not be installed beside another (all mailers exclude each other): unpacked over a copy-on-write view of this
# system, in a mount and a process namespace of its own, so that its fixed paths and its users are its alone and nothing stays behind.
# shellcheck shell=bash

# jail_have NAME PACKAGE...: fetches them, and those named LIB… only where the system has none
jail_have() {
	local p want=() debs=$stuff/$1
	shift
	for p; do
		case $p in lib*) installed "$p" && continue ;; esac
		compgen -G "$debs/${p}_*.deb" >/dev/null || want+=("$p")
	done
	[ ${#want[@]} = 0 ] && return
	update
	mkdir -p "$debs"
	(cd "$debs" && apt-get -o APT::Sandbox::User=root download -qq "${want[@]}") >"$dir/apt.log" 2>&1 || { why="no ${want[*]}"; return 1; }
}
# jail_run NAME SETUP COMMAND: both for a shell inside; $dir/NAME is /io there
jail_run() {
	mkdir -p "$dir/$1"
	unshare --mount --pid --fork --kill-child --propagation private bash -euc '
		io=$1 debs=$2
		top=$io/top
		mkdir "$top"
		mount -t tmpfs -o size=1g none "$top"
		mkdir "$top/upper" "$top/work" "$top/root"
		mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
		for d in "$debs"/*.deb; do dpkg-deb --fsys-tarfile "$d" | tar -x -C "$top/root" --keep-directory-symlink; done
		mount --rbind /dev "$top/root/dev"
		mount -t proc proc "$top/root/proc"
		mkdir "$top/root/io"
		mount --bind "$io" "$top/root/io"
		exec chroot "$top/root" bash -euc "$3
$4"' jail "$dir/$1" "$stuff/$1" "$2" "$3" >"$dir/$1.log" 2>&1 </dev/null &
	jails+=($!)
}
