#!/bin/bash
# circles.sh FOLDER ... - checks that inside each folder of lib/ the files form no circle: none calls, even by way of others, who calls it.
# By what the linker would see: compiled with $COMPILE into a directory of its own, unoptimised in some seconds, so that it takes no build before.
# Called by `make layers`.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names
bad=0
objects=$(mktemp -d) || exit 1
trap 'rm -rf "$objects"' EXIT
for folder in "$@"; do
	mkdir "$objects/$folder"
	for c in lib/"$folder"/*.c; do echo "$c -o $objects/$folder/$(basename "$c" .c).o"; done
done | xargs -P "$(nproc)" -I{} sh -c "$COMPILE -c {}" || exit 1
for folder in "$@"; do
	# "caller called" for each pair of files, from whose symbol is whose
	pairs=$(for c in lib/"$folder"/*.c; do
		file=$(basename "$c" .c)
		nm "$objects/$folder/$file.o" | awk -v f="$file" '{ print f, $(NF - 1), $NF }'
	done | awk '$2 ~ /^[TDBRVWC]$/ { owner[$3] = $1 } $2 == "U" { wants[++n] = $1 " " $3 }
		END { for (i = 1; i <= n; i++) { split(wants[i], w, " "); if (w[2] in owner && owner[w[2]] != w[1]) print w[1], owner[w[2]] } }' | sort -u)
	loops=$(tsort <<<"$pairs" 2>&1 >/dev/null | sed -n 's/^tsort: \([^-].*\)/\1/p' | grep -v 'contains a loop' | tr '\n' ' ')
	if [ -n "$loops" ]; then
		echo "layers: files of lib/$folder call each other in a circle: $loops"
		bad=1
	fi
done
[ $bad = 0 ] && echo "circles: ok"
exit $bad
