#!/bin/bash
# vm.sh - runs a command as root in a throw-away virtual machine whose /sys/fs/cgroup is one unified cgroup v2 with every controller.
#
#   vm.sh setup                                 packages, kernel, initramfs; once, about 20 s
#   vm.sh [-t SECONDS] [-s SECONDS] [-e NAME]... [-d IMAGE] [-c FILE] -- CMD ...
#                                               runs CMD in this directory (shared read-write); exits with its status
#     -t  out of time after so long (600)
#     -s  or when CMD has printed nothing for so long: how long all of it takes depends on what else this machine does
#     -d  a disk image of raw bytes, in the guest /dev/vda; what the guest has not flushed is not in it
#     -c  the power is cut as soon as FILE is there (polled every 50 ms): status 99
#
# The guest sees this machine's own root through an overlay, so whatever is installed here is there too; what it writes outside the
# shared directory is gone afterwards. It is emulated (no KVM needed): correct, but 10 to 50 times slower at fork-heavy work.
# Exit status: CMD's; 99 = cut; 124 = out of time; 125 = the machine did not come up.
# Environment: FND_VM_CACHE (/var/cache/fnd-vm), FND_VM_CPUS (2), FND_VM_MEM (3072, in MB).
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names
cache=${FND_VM_CACHE:-/var/cache/fnd-vm}
cpus=${FND_VM_CPUS:-2}
mem=${FND_VM_MEM:-3072}
boot_limit=60
virtiofsd=/usr/lib/qemu/virtiofsd
[ -x $virtiofsd ] || virtiofsd=/usr/libexec/virtiofsd

# --- set-up: a Debian cloud kernel and an initramfs that mounts the overlay ---------------------------------------------------------
guest_init() {
	cat <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
for word in $(cat /proc/cmdline); do case $word in fnd.stage2=*) stage2=${word#*=} ;; esac; done
mount -t virtiofs -o ro hostroot /lower
mount -t tmpfs -o size=75% upper /rw
mkdir /rw/upper /rw/work
mount -t overlay root -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work /root
for d in dev proc sys; do mount --move /$d /root/$d; done
exec switch_root /root /bin/bash "$stage2"
INIT
}

# A compressed kernel has to unpack itself under emulation; as a plain ELF image it boots seconds sooner (PVH).
uncompress_kernel() {
	/usr/bin/python3 - "$1" "$2" <<'PY'
import struct, subprocess, sys
image = open(sys.argv[1], "rb").read()
offset, length = struct.unpack_from("<II", image, 0x248)
start = ((image[0x1f1] or 4) + 1) * 512 + offset
payload = image[start:start + length]
tools = {b"\xfd7": ["xz", "-dc", "--single-stream"], b"\x02!": ["lz4", "-dc"], b"(\xb5": ["zstd", "-dc"], b"\x1f\x8b": ["gzip", "-dc"]}
elf = subprocess.run(tools[payload[:2]], input=payload, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
assert elf[:4] == b"\x7fELF"
open(sys.argv[2], "wb").write(elf)
PY
}

setup() (
	set -e
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
	version=${package#linux-image-}
	[ -n "$version" ] || { echo "vm: no kernel package is known; apt-get update?" >&2; exit 1; }
	[ "$(cat "$cache/version" 2>/dev/null)" = "$version" ] && exit 0
	echo "vm: fetching kernel $version" >&2
	rm -rf "$cache/kernel" "$cache/initrd" "$cache/version"
	mkdir -p "$cache/kernel/deb" "$cache/kernel/root" "$cache/initrd"/{bin,dev,proc,sys,modules,lower,rw,root}
	(cd "$cache/kernel/deb" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$package" >&2)
	dpkg -x "$cache"/kernel/deb/*.deb "$cache/kernel/root"
	rm -r "$cache/kernel/deb"
	/sbin/depmod -b "$cache/kernel/root" "$version"
	uncompress_kernel "$cache/kernel/root/boot/vmlinuz-$version" "$cache/vmlinux" || cp "$cache/kernel/root/boot/vmlinuz-$version" "$cache/vmlinux"
	cp "$(command -v busybox)" "$cache/initrd/bin/busybox"
	for applet in sh mount insmod mkdir switch_root cat; do ln -s busybox "$cache/initrd/bin/$applet"; done
	mknod "$cache/initrd/dev/console" c 5 1
	for m in virtio_pci virtio_console virtiofs overlay; do
		/sbin/modprobe -d "$cache/kernel/root" -S "$version" --show-depends $m 2>/dev/null | awk '$1 == "insmod" {print $2}'
	done | awk '!seen[$0]++' | while read -r file; do
		name=$(basename "$file")
		case $name in *.xz) name=${name%.xz}; xz -dc "$file" >"$cache/initrd/modules/$name" ;; *) cp "$file" "$cache/initrd/modules/$name" ;; esac
		echo "$name"
	done >"$cache/initrd/modules/order"
	guest_init >"$cache/initrd/init"
	chmod +x "$cache/initrd/init"
	(cd "$cache/initrd" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$cache/initrd.gz"
	rm -r "$cache/initrd"
	echo "$version" >"$cache/version"
)

# --- what the guest does once its root is there --------------------------------------------------------------------------------------
stage2() {
	printf 'run=%q share=%q modules=%q\n' "$run" "$PWD" "$cache/kernel/root/lib/modules"
	cat <<'STAGE2'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -sfn /proc/self/fd /dev/fd
for n in 0.stdin 1.stdout 2.stderr; do ln -sfn /proc/self/fd/${n%.*} /dev/${n#*.}; done
mount -t tmpfs run /run
mount -t tmpfs -o mode=1777,size=75% tmp /tmp
mount -t tmpfs -o mode=1777,size=75% vartmp /var/tmp
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$c >/sys/fs/cgroup/cgroup.subtree_control; done 2>/dev/null
mkdir -p /lib/modules
[ -e /lib/modules/$(uname -r) ] || ln -s $modules/$(uname -r) /lib/modules/
echo fnd-vm >/proc/sys/kernel/hostname
ip link set lo up
for m in loop virtio_blk ext4; do modprobe -q $m; done # for /tmp on the disk, and -d
mkdir -p "$share"
mount -t virtiofs shared "$share"
port=$(echo /dev/vport*p3)
port=${port%3}
exec 9>${port}3
echo up >&9
mkfifo /run/out
cat /run/out >${port}1 9>&- &
copier=$!
setsid -w bash $run/command </dev/null >/run/out 2>&1 9>&-
status=$?
(sleep 3; kill $copier) 2>/dev/null &
wait $copier 2>/dev/null
sync
echo "status $status" >&9
exec 9>&-
sleep 0.1
echo o >/proc/sysrq-trigger
sleep 60
STAGE2
}

serve() { # TAG DIRECTORY CACHE-MODE: a virtiofs export; adds qemu's options for it
	"$virtiofsd" --socket-path="$run/$1.sock" -o source="$2" -o cache="$3" -o sandbox=chroot >"$run/$1.log" 2>&1 3>&- &
	children+=($!)
	for _ in $(seq 250); do [ -S "$run/$1.sock" ] && break; sleep 0.02; done
	[ -S "$run/$1.sock" ] || return 1
	options+=(-chardev "socket,id=fs-$1,path=$run/$1.sock" -device "vhost-user-fs-pci,chardev=fs-$1,tag=$1")
}

boot() {
	: >"$run/control"
	# shellcheck disable=SC2054 # commas are qemu's
	options=(-accel tcg,thread=multi -machine q35 -cpu max -smp "$cpus" -m "$mem" -nodefaults -no-user-config -display none -no-reboot
		-kernel "$cache/vmlinux" -initrd "$cache/initrd.gz"
		-append "console=ttyS0 loglevel=4 panic=-1 random.trust_cpu=on fnd.stage2=$run/stage2"
		-serial "file:$run/console" -object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng
		-object "memory-backend-memfd,id=mem,size=${mem}M,share=on" -numa node,memdev=mem
		-device virtio-serial-pci -add-fd fd=3,set=1
		-chardev file,id=out,path=/dev/fdset/1,append=on -device virtserialport,chardev=out,nr=1
		-chardev "file,id=control,path=$run/control" -device virtserialport,chardev=control,nr=3)
	[ -z "$disk" ] || options+=(-drive "file=$disk,format=raw,if=none,id=disk,cache=writeback" -device virtio-blk-pci,drive=disk)
	serve hostroot / always && serve shared "$PWD" auto || return 1
	qemu-system-x86_64 "${options[@]}" </dev/null >"$run/qemu.log" 2>&1 &
	qemu=$!
	for _ in $(seq $((boot_limit * 10))); do
		[ -s "$run/control" ] && return 0
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.1
	done
	[ -s "$run/control" ]
}

end_children() {
	[ -z "$qemu" ] || { kill -9 "$qemu"; wait "$qemu"; } 2>/dev/null
	qemu=
	[ ${#children[@]} = 0 ] || { kill "${children[@]}"; wait "${children[@]}"; } 2>/dev/null
	children=()
}

if [ "${1:-}" = setup ]; then
	setup
	exit
fi
limit=600 silence='' names=() disk='' cut=''
while getopts t:s:e:d:c: o; do case $o in t) limit=$OPTARG ;; s) silence=$OPTARG ;; e) names+=("$OPTARG") ;; d) disk=$OPTARG ;; c) cut=$OPTARG ;; *) exit 2 ;; esac; done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '2,18p' "$0"; exit 2; }
setup || exit 125

run=$(mktemp -d "$cache/run.XXXXXX") children=() qemu='' copier=''
# shellcheck disable=SC2317 # called by the trap
cleanup() { end_children; [ -z "$copier" ] || kill "$copier" 2>/dev/null; rm -rf "$run"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
{
	for n in "${names[@]+"${names[@]}"}"; do [ -z "${!n+x}" ] || printf 'export %s=%q\n' "$n" "${!n}"; done
	printf 'cd %q || exit 126\nexec ' "$PWD"
	printf '%q ' "$@"
	echo
} >"$run/command"
stage2 >"$run/stage2"
mkfifo "$run/out"
tee "$run/said" <"$run/out" &
copier=$!
exec 3>"$run/out"
for try in 1 2 3; do
	boot && break
	echo "vm: boot $try failed: $(tail -n 3 "$run/console" "$run/qemu.log" 2>/dev/null | tr '\n' ' ')" >&2
	end_children
	[ $try -lt 3 ] || exit 125
done
status='' began=$SECONDS heard=$SECONDS
: >"$run/looked"
while kill -0 "$qemu" 2>/dev/null && ! grep -q ^status "$run/control"; do
	[ -z "$cut" ] || [ ! -e "$cut" ] || { status=99; break; }
	[ ! "$run/said" -nt "$run/looked" ] || { : >"$run/looked"; heard=$SECONDS; }
	[ -z "$silence" ] || [ $((SECONDS - heard)) -lt "$silence" ] || { status=124; echo "vm: out of time: nothing was printed for $silence s" >&2; break; }
	[ $((SECONDS - began)) -lt "$limit" ] || { status=124; echo "vm: out of time ($limit s)" >&2; break; }
	sleep 0.05
done
[ -n "$status" ] || status=$(awk '/^status/ {print $2}' "$run/control")
[ "$status" = 99 ] || for _ in $(seq 20); do kill -0 "$qemu" 2>/dev/null || break; sleep 0.05; done
end_children
exec 3>&-
wait "$copier"
copier=
[ -n "$status" ] || { echo "vm: it died before the command ended:" >&2; tail -n 25 "$run/console" >&2; status=125; }
exit "$status"
