#!/bin/bash
# deps.sh [--quiet] [--run] - installs every Debian package that building, running and testing needs (--run: not testing). Does nothing,
# quickly, when all are there.
#
# Each name is one that Debian 12 and 13 both have. "a|b": the first of these that the release has.
set -euo pipefail
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names

build=(gcc make pkg-config libc6-dev libcgroup-dev libnl-3-dev libnl-route-3-dev libarchive-dev libjansson-dev
	libsqlite3-dev libcurl4-gnutls-dev libseccomp-dev nettle-dev libgnutls28-dev libmicrohttpd-dev libnftables-dev libpcre2-dev python3-dev)
run=(e2fsprogs) # for /tmp on the disk
images=(python3 python3-pip dpkg debian-archive-keyring tar ca-certificates curl 'openjdk-17-jdk-headless|openjdk-21-jdk-headless')
tests=(check libsubunit-dev clang clang-tidy libclang-rt-dev awscli python3-boto3 jq zip unzip wrk crun runc bubblewrap
	g++ cmake iproute2 nftables qemu-system-x86 'virtiofsd|qemu-system-common' busybox-static kmod bzip2 xz-utils lz4 zstd procps util-linux man-db
	groff mandoc shellcheck git strace)
[ -x /usr/bin/npm ] || tests+=(nodejs npm) # for Node.js's images; any npm of the system's will do, as any node that runs it

quiet=''
for option; do
	case $option in
	--quiet) quiet=1 ;;
	--run) tests=() ;;
	*) echo "deps: what is $option?" >&2; exit 2 ;;
	esac
done
wanted=("${build[@]}" "${run[@]}" "${images[@]}" "${tests[@]}")

declare -A installed
while read -r name status; do
	[ "$status" != installed ] || installed[$name]=1
done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n')

# Fills `missing`. Of alternatives the release's is asked for at apt, which takes a moment and knows nothing before its first update.
missing=()
look() {
	local entry p
	missing=()
	for entry in "${wanted[@]}"; do
		for p in ${entry//|/ }; do
			[ -z "${installed[$p]:-}" ] || break # it is there
			if [ "$p" = "${entry##*|}" ] || apt-cache show "$p" >/dev/null 2>&1; then
				missing+=("$p")
				break
			fi
		done
	done
}

look
if [ ${#missing[@]} = 0 ]; then
	[ -n "$quiet" ] || echo "deps: all packages are installed"
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps: as root, install: ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
for try in 1 2 3; do
	if apt-get -qq -o Acquire::Retries=3 update; then
		look
		echo "deps: installing ${#missing[@]} packages: ${missing[*]}"
		apt-get -qq -y --no-install-recommends -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install "${missing[@]}" >/dev/null && exit 0
	fi
	echo "deps: attempt $try failed" >&2
	sleep $((try * 3))
done
exit 1
