#!/bin/bash
# layers.sh LEVEL:folder,folder ... - checks that no folder of lib/ includes a sibling or a higher layer.
# Called by `make layers` with the levels that the Makefile declares, lowest first.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the system's tools before others of the same names
declare -A level
for arg in "$@"; do
	for folder in $(tr ',' ' ' <<<"${arg#*:}"); do level[$folder]=${arg%%:*}; done
done
bad=0
for dir in lib/*/; do
	f=$(basename "$dir")
	if [ -z "${level[$f]+x}" ]; then echo "layers: lib/$f is in no layer of the Makefile"; bad=1; continue; fi
	while IFS=: read -r file line inc; do
		[ -n "$inc" ] || continue
		to=${inc#*\"}; to=${to%%/*}
		[ "$to" = "$f" ] && continue
		if [ -z "${level[$to]+x}" ]; then echo "$file:$line: includes $inc, which is no layer"; bad=1
		elif [ "${level[$to]}" -ge "${level[$f]}" ]; then echo "$file:$line: $f (layer ${level[$f]}) includes $to (layer ${level[$to]})"; bad=1; fi
	done < <(grep -nHoE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"[^"]+/[^"]+"' "$dir"*.[ch] 2>/dev/null)
done
while read -r file; do
	echo "$file: includes outside lib/"
	bad=1
done < <(grep -lE '#[[:space:]]*include[[:space:]]+"(\.\.|cmd)/' lib/*/*.[ch] 2>/dev/null)
[ $bad = 0 ] && echo "layers: ok"
exit $bad
