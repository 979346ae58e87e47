#!/bin/bash
# circles.sh FOLDER ... - checks that inside each folder of lib/ the files form no circle: none calls, even by way of others, who calls it.
# By what the linker would see: compiled with $COMPILE into a directory of its own, unoptimised in some seconds, so that it takes no build before.
# Called by `make layers`.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names
bad=0
objects=$(mktemp -d) || exit 1
trap 'rm -rf "$objects"' EXIT
# shellcheck disable=SC2016 # the inner shell's
for folder in "$@"; do
	mkdir "$objects/$folder"
	for c in lib/"$folder"/*.c; do
		o=${c##*/}
		echo "$c $objects/$folder/${o%.c}.o"
	done
done | xargs -P "$(nproc)" -n 20 sh -c 'while [ $# -gt 0 ]; do eval "$COMPILE -c $1 -o $2" || exit 255; shift 2; done' sh || exit 1
for folder in "$@"; do
	# "caller called" for each pair of files, from whose symbol is whose
	pairs=$(cd "$objects/$folder" && nm -A ./*.o | sed -E 's,^\./([^:]*)\.o:,\1 ,' | awk '
		$(NF - 1) ~ /^[TDBRVWC]$/ { owner[$NF] = $1 } $(NF - 1) == "U" { wants[++n] = $1 " " $NF }
		END { for (i = 1; i <= n; i++) { split(wants[i], w, " "); if (w[2] in owner && owner[w[2]] != w[1]) print w[1], owner[w[2]] } }' | sort -u)
	loops=$(tsort <<<"$pairs" 2>&1 >/dev/null | sed -n 's/^tsort: \([^-].*\)/\1/p' | grep -v 'contains a loop' | tr '\n' ' ')
	if [ -n "$loops" ]; then
		echo "layers: files of lib/$folder call each other in a circle: $loops"
		bad=1
	fi
done
[ $bad = 0 ] && echo "circles: ok"
exit $bad
