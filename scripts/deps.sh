#!/bin/bash
# deps.sh [--quiet] [--run] - installs every Debian package that building, running and testing needs (--run: not testing). Does nothing,
# quickly, when all are there.
set -euo pipefail

build=(gcc make pkg-config libc6-dev libcgroup-dev libnl-3-dev libnl-route-3-dev libarchive-dev libjansson-dev
	libsqlite3-dev libcurl4-gnutls-dev libseccomp-dev nettle-dev libgnutls28-dev libnftables-dev python3-dev)
images=(python3 dpkg tar ca-certificates curl)
tests=(check libsubunit-dev libmicrohttpd-dev clang clang-tidy libclang-rt-14-dev awscli python3-boto3 jq zip unzip wrk crun runc bubblewrap
	g++ cmake iproute2 nftables qemu-system-x86 busybox-static kmod xz-utils lz4 procps util-linux man-db groff mandoc shellcheck git strace)
command -v npm >/dev/null || tests+=(nodejs npm) # for Node.js's images; any npm will do, as any node that runs it

quiet=''
for option; do
	case $option in
	--quiet) quiet=1 ;;
	--run) tests=() ;;
	*) echo "deps: what is $option?" >&2; exit 2 ;;
	esac
done
missing=()
for p in "${build[@]}" "${images[@]}" "${tests[@]}"; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
if [ ${#missing[@]} = 0 ]; then
	[ -n "$quiet" ] || echo "deps: all packages are installed"
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps: as root, install: ${missing[*]}" >&2
	exit 1
fi
echo "deps: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
for try in 1 2 3; do
	apt-get -qq -o Acquire::Retries=3 update && apt-get -qq -y --no-install-recommends -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
		install "${missing[@]}" >/dev/null && exit 0
	echo "deps: attempt $try failed" >&2
	sleep $((try * 3))
done
exit 1
