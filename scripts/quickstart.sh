#!/bin/bash
# quickstart.sh BUILD_DIR - a first function in one command: dependencies, build, base images, a daemon on loopback with a state directory
# of its own, a Python function invoked cold and warm. Everything it started and made (but the build) is gone when it ends.
set -euo pipefail
cd "$(dirname "$0")/.."
B=${1:-build}
began=$SECONDS

step() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
die() { echo "quickstart: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "must run as root: namespaces, mounts and cgroups are made by root (the daemon itself gives its privileges up)"
step "Packages"
scripts/deps.sh
step "Build"
make --no-print-directory -j"$(nproc)" B="$B" all
step "Base images (downloaded and built the first time)"
make --no-print-directory B="$B" quickstart-images

port=3001
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
# not below the clone: fnd's worker, an unprivileged user, must be able to reach it (a clone in /root)
state=$(mktemp -d /var/tmp/fnd-quickstart.XXXXXX)
log=$state.log
pid=
end() {
	trap '' INT TERM HUP # the end is not to be cut short
	if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
	rm -rf "$state" "$log"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "Starting fnd on http://127.0.0.1:$port; it unpacks the base images into $state"
"$B/fnd" --listen "127.0.0.1:$port" --state "$state" --images "$B/images" >"$log" 2>&1 &
pid=$!
for _ in $(seq 1200); do
	curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$port/healthz" && break
	kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; die "fnd did not start; 'fnctl doctor' tells what a host lacks"; }
	sleep 0.05
done
export FNCTL_ENDPOINT=http://127.0.0.1:$port
fnctl=$B/fnctl

step "fnctl create hello --runtime python3.11 --handler lambda_function.handler --code rootfs/examples/hello-python"
"$fnctl" create hello --runtime python3.11 --handler lambda_function.handler --code rootfs/examples/hello-python --memory 512 | sed '/^$/,$d'
step "First invocation: cold, a sandbox is made"
"$fnctl" invoke hello '{"name": "cold"}' --log --time; echo
step "Second invocation: warm"
"$fnctl" invoke hello '{"name": "warm"}' --log --time; echo
step "It works ($((SECONDS - began)) s in all)"
cat <<TEXT
Go on with:
  export FNCTL_ENDPOINT=http://127.0.0.1:$port; PATH=$PWD/$B:\$PATH
  fnctl invoke hello '{"name": "you"}' --log      fnctl logs hello -f      fnctl doctor
  aws --endpoint-url http://127.0.0.1:$port lambda list-functions
TEXT
if [ -t 0 ]; then
	echo "fnd is running; press Enter to end it and remove what it made."
	read -r || true
else
	echo "(There is no terminal to wait at: fnd ends now. \`make quickstart\` on a terminal leaves it running until Enter.)"
fi
