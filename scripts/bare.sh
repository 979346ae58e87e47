#!/bin/bash
# bare.sh - runs a command as root in a bare Debian of a release, in a fresh clone of this repository's HEAD (what is not committed is not there).
#
#   bare.sh [-r ROOT] SUITE [COMMAND...]       SUITE: bookworm, trixie, ...; without a command: make quickstart
#
# The release's smallest system and `make` are all that is there: made by debootstrap (which must be installed) from where this host has its
# Debian packages, and removed in the end. -r ROOT keeps the system in that directory and takes it up again: what was installed stays.
# The command has its own mounts, processes, /run and /tmp; kernel, cgroups, network and /dev are this host's.
# Exit status: the command's; 125 = there was no system to run it in.
# shellcheck disable=SC1091,SC2001,SC2016,SC2317 # another file of the host; several lines are edited; apt's own $(...); called by the trap
set -euo pipefail
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names
die() { echo "bare: $*" >&2; exit 125; }

# --- inside the namespaces: ROOT becomes /. By pivot_root: a process that was chroot()ed may make no user namespaces ---
if [ "${1:-}" = --enter ]; then
	root=$2
	shift 2
	mount --bind "$root" "$root"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=755 run "$root/run"
	cd "$root"
	mkdir -p mnt/host
	pivot_root . mnt/host
	umount -l /mnt/host
	cd /srv/fnd
	status=0
	"$@" || status=$? # not exec: this shell is process 1 here, and reaps what others leave
	exit $status
fi

keep=''
while getopts r: option; do
	case $option in
	r) keep=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
suite=$1
shift
[ $# -gt 0 ] || set -- make quickstart
[ "$(id -u)" = 0 ] || die "must run as root"
[ -x /usr/sbin/debootstrap ] || die "debootstrap is not installed"
top=$(cd "$(dirname "$0")/.." && pwd)

# This host's Debian sources and how it reaches them, for another release
here=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
	sed -n "s/ $here\(-updates\|-security\)\? / $suite\1 /p" | sort -u)
[ -n "$sources" ] || die "this host has no Debian sources to go by; apt-get update?"
mirror=$(awk -v suite="$suite" '$2 == suite {print $1; exit}' <<<"$sources")

root=$keep
[ -n "$root" ] || root=$(mktemp -d /var/tmp/fnd-bare.XXXXXX)
end() { [ -n "$keep" ] || rm -rf --one-file-system "$root"; } # mounts were the command's own and are gone
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ ! -e "$root/.bare" ]; then
	echo "bare: making a bare $suite" >&2
	log=$(/usr/sbin/debootstrap --variant=minbase --include=make "$suite" "$root" "$mirror" 2>&1) || die "debootstrap failed: ${log##*$'\n'}"
	sed 's/^/deb /' <<<"$sources" >"$root/etc/apt/sources.list"
	apt-config dump Acquire | grep -E '^Acquire::(http|https|Check|Retries|ForceIPv)[^ ]* "[^"]' >"$root/etc/apt/apt.conf.d/90host" || true
	if [ -d /usr/local/share/ca-certificates ]; then cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"; fi
	touch "$root/.bare"
fi
chmod 755 "$root" # it will be /, of mktemp's mode
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
rm -rf "$root/srv/fnd"
git -c safe.directory="$top" clone -q --no-hardlinks "file://$top" "$root/srv/fnd" || die "cannot clone $top"

clean=(HOME=/root "TERM=${TERM:-dumb}" LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy; do
	if [ -n "${!name:-}" ]; then clean+=("$name=${!name}"); fi
done
status=0
unshare --mount --pid --fork --kill-child "$0" --enter "$root" env -i "${clean[@]}" "$@" || status=$?
exit $status
