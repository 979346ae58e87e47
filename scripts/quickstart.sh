#!/bin/bash
# quickstart.sh BUILD_DIR - a first function in one command: dependencies, build, base images, a daemon on loopback with a state directory
# of its own, a Python function invoked cold and warm. Everything it started and made (but the build) is gone when it ends.
set -euo pipefail
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names
cd "$(dirname "$0")/.."
B=${1:-build}
began=$SECONDS

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
die() { echo "quickstart: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "must run as root: namespaces, mounts and cgroups are made by root (the daemon itself gives its privileges up)"
step "Packages"
scripts/deps.sh --run
step "Build, and base images (downloaded and built the first time)"
make --no-print-directory -j"$(($(nproc) + 1))" B="$B" quickstart-images all # both at once: an image is made by one process, which waits for the network

port=3001
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
# not below the clone: fnd's worker, an unprivileged user, must be able to reach it (a clone in /root)
where=/var/tmp
# in memory where there is plenty: unpacked images go to disk with a sync, which takes its time on a busy one
if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 1000000 ] &&
	[ "$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)" -gt 3000000 ]; then
	where=/dev/shm
fi
state=$(mktemp -d $where/fnd-quickstart.XXXXXX)
log=$state.log config=$state.json
pid=
stop() {
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	pid=
}
end() {
	trap '' INT TERM HUP # the end is not to be cut short
	if [ -n "$pid" ]; then
		echo "Ending fnd; removing what it made"
		stop
	fi
	rm -rf "$state" "$log" "$config"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# start CONFIGURATION: one of its own, whatever is installed on this host
start() {
	echo "$1" >"$config"
	"$B/fnd" --config "$config" --listen "127.0.0.1:$port" --state "$state" --images "$B/images" >"$log" 2>&1 &
	pid=$!
	for _ in $(seq 1200); do
		if curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$port/healthz"; then return; fi
		kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; die "fnd did not start; 'fnctl doctor' tells what a host lacks"; }
		sleep 0.05
	done
	die "fnd does not answer; its log is $log"
}
export FNCTL_ENDPOINT=http://127.0.0.1:$port
fnctl=$B/fnctl
invoke() {
	local response
	response=$("$fnctl" invoke hello "$1" --log --time)
	echo "$response"
}
# Sandboxes and Python runtimes made ahead, as many as there are to be: else the first invocation would not meet what all later ones do
await_stock() {
	local found
	for _ in $(seq 300); do
		found=$("$fnctl" --output json doctor | tr -d ' \n') || true
		if [[ $found =~ \"sandbox\":[4-9] && $found =~ \"python3.11-[^\"]*\":[2-9] ]]; then return; fi
		sleep 0.1
	done
	echo "The stock is not full after 30 s; going on without it."
}

step "Starting fnd on http://127.0.0.1:$port; it unpacks the base images into $state"
start '{"prepared_most": 0, "prestarted_most": 0}' # first without any stock, to see what that saves

step "fnctl create hello --runtime python3.11 --handler lambda_function.handler --code rootfs/examples/hello-python"
"$fnctl" create hello --runtime python3.11 --handler lambda_function.handler --code rootfs/examples/hello-python --memory 512 | sed '/^$/,$d'
without=$(invoke '{"name": "without a stock"}' 2>&1 | grep -E '^[0-9.]+ ms$') || die "the function cannot be invoked: $(cat "$log")"
stop
start '{"prepared_least": 4, "prestarted_least": 2}'
await_stock
step "First invocation: cold, in a sandbox and a runtime made ahead (with none, the first one has just taken $without here)"
invoke '{"name": "cold"}'
step "Second invocation: warm"
invoke '{"name": "warm"}'
step "It works ($((SECONDS - began)) s in all)"
if [ -t 0 ]; then
	cat <<TEXT
Go on in another terminal, with:
  export FNCTL_ENDPOINT=http://127.0.0.1:$port; PATH=$PWD/$B:\$PATH
  fnctl invoke hello '{"name": "you"}' --log      fnctl logs hello -f      fnctl doctor
  aws --endpoint-url http://127.0.0.1:$port lambda list-functions
TEXT
	echo "fnd is running; press Enter to end it and remove what it made."
	read -r || true
else
	echo "There is no terminal to wait at, so fnd ends now; on one, \`make quickstart\` leaves it running until Enter."
fi
