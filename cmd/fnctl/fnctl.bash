# bash completion for fnctl: commands, options, names of functions, versions, aliases and runtimes (asked of fnd, briefly and quietly).

# Only what is a plain name: compgen -W expands its words, and $LATEST on a command line would be expanded, too.
_fnctl_api() # MEMBER, COMMAND ...: values, one a line, from the daemon that the command line names
{
	timeout 2 fnctl "${_fnctl_where[@]}" --output json "${@:2}" 2>/dev/null | tr ',[{' '\n' | sed -n "s/.*\"$1\": *\"\([A-Za-z0-9._-]*\)\".*/\1/p"
}

_fnctl_runtimes()
{
	timeout 2 fnctl "${_fnctl_where[@]}" --output json images 2>/dev/null | tr -d '\n' | tr '}' '\n' | grep '"Installed": *true' |
		grep -o '"Runtimes": *\[[^]]*\]' | grep -o '"[a-z][a-z0-9.]*"' | tr -d '"'
}

_fnctl_layers() # names; a version's number is left to be typed, for bash splits words at colons
{
	timeout 2 fnctl "${_fnctl_where[@]}" --output json layer list 2>/dev/null | sed -n 's/.*"LayerVersionArn": *"[^"]*:layer:\([A-Za-z0-9_-]*\):[0-9]*".*/\1/p' | sort -u
}

_fnctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i function
	local commands='create update deploy list get delete publish versions alias layer concurrency url queue async mapping events invoke logs disk doctor images runtime'
	local global='--endpoint --region --output --help' options='' words=() _fnctl_where=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--endpoint)
			# bash splits a URL at its colons
			local url=''
			while ((i + 1 < COMP_CWORD)) && [[ ${COMP_WORDS[i + 1]} != -* ]]; do
				[[ $url && ${COMP_WORDS[i + 1]} != : && $url != *: ]] && break
				url+=${COMP_WORDS[++i]}
			done
			[[ $url ]] && _fnctl_where=(--endpoint "$url")
			;;
		--region | --output | --runtime | --handler | --code | --role | --memory | --timeout | --tmp | --env | --description | --snap-start | \
			--layer | --image | --license | --compatible-runtime | --compatible-architecture | --payload-file | --qualifier | --client-context | --tenant-id | --tail | --code-sha256 | --version | --weight | --revision-id | --cors | --batch-size | --window | --concurrency | --filter | --report-failures | --count) ((i++)) ;;
		-*) ;;
		*)
			if [[ $command ]]; then words+=("${COMP_WORDS[i]}"); else command=${COMP_WORDS[i]}; fi
			;;
		esac
	done
	function=${words[0]}
	[[ $command == alias || $command == concurrency || $command == async || $command == url ]] && function=${words[1]}
	case $prev in
	--report-failures) mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur"); return ;;
	--snap-start) mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur"); return ;;
	--output) mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$cur"); return ;;
	--runtime | --compatible-runtime) mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_runtimes)" -- "$cur"); return ;;
	--code | --payload-file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--qualifier | --version)
		if [[ $command && $function ]]; then
			local names
			names=$(_fnctl_api Version versions "$function")
			[[ $prev == --qualifier && $command != delete ]] && names+=" $(_fnctl_api Name alias list "$function")"
			mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
			return
		fi
		;;
	--layer)
		mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_layers)" -- "$cur")
		return
		;;
	--compatible-architecture) mapfile -t COMPREPLY < <(compgen -W 'x86_64 arm64' -- "$cur"); return ;;
	--license | --endpoint | --region | --image | --handler | --role | --memory | --timeout | --tmp | --env | --description | --client-context | --tenant-id | --tail | \
		--code-sha256 | --weight | --revision-id | --cors) return ;;
	esac
	case $command in
	'') [[ $cur == -* ]] || { mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur"); return; }; options=--version ;;
	create | update | deploy)
		options='--runtime --handler --code --image --role --memory --timeout --tmp --env --description --layer --snap-start --per-tenant --no-wait'
		if [[ $command == deploy && $cur != -* ]] && ((${#words[@]} == 1)); then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	invoke) options='--payload-file --log --time --qualifier --client-context --tenant-id --dry-run --async' ;;
	get | delete) options=--qualifier ;;
	publish) options='--description --code-sha256 --no-wait' ;;
	alias)
		if ((${#words[@]} == 0)); then
			options='create update get list delete'
		else
			case ${words[0]} in
			create) options='--version --weight --description' ;;
			update) options='--version --weight --description --revision-id' ;;
			list) options=--version ;;
			esac
		fi
		;;
	layer)
		if ((${#words[@]} == 0)); then
			options='publish import list get delete'
		elif [[ ${words[0]} == publish ]]; then
			options='--description --license --compatible-runtime --compatible-architecture'
		fi
		if [[ $cur != -* && ${words[0]} == @(publish | import) ]] && ((${#words[@]} == 2)); then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		if [[ $cur != -* && ${words[0]} == @(publish | list | get | delete) ]] && ((${#words[@]} == 1)); then
			mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_layers)" -- "$cur")
			return
		fi
		;;
	concurrency)
		if ((${#words[@]} == 0)); then
			options='put get delete list'
		elif [[ ${words[0]} != list ]]; then
			options=--qualifier
		fi
		;;
	url)
		if ((${#words[@]} == 0)); then
			options='create get list delete'
		else
			case ${words[0]} in
			create) options='--qualifier --iam --stream --cors' ;;
			get | delete) options=--qualifier ;;
			esac
		fi
		;;
	queue)
		if ((${#words[@]} == 0)); then
			options='create list send receive purge delete attributes'
		else
			case ${words[0]} in
			send) options='--group --dedup --delay' ;;
			receive) options='--max --wait --visibility --keep' ;;
			esac
		fi
		;;
	mapping)
		if ((${#words[@]} == 0)); then
			options='create list get update delete'
		elif [[ ${words[0]} == create || ${words[0]} == update ]]; then
			options='--batch-size --window --concurrency --filter --report-failures --enable --disable'
		fi
		;;
	events)
		if ((${#words[@]} == 0)); then
			options=tail
		else
			options=--count
		fi
		;;
	async)
		if ((${#words[@]} == 0)); then
			options='status list show replay purge'
		elif [[ ${words[0]} != status ]]; then
			options=--failed
		fi
		;;
	logs) options='--follow --tail' ;;
	disk) options=--check ;;
	doctor) options=--api ;;
	images)
		options=--as
		((${#words[@]} == 0)) && options+=' rescan local import forget runtime'
		;;
	runtime)
		options=--image
		((${#words[@]} == 0)) && options+=' list add remove'
		;;
	esac
	if [[ $cur != -* ]]; then
		case $command in
		update | deploy | get | delete | publish | versions | invoke | logs)
			((${#words[@]} == 0)) && mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api FunctionName list)" -- "$cur")
			return
			;;
		alias)
			case ${#words[@]} in
			1) mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api FunctionName list)" -- "$cur") ;;
			2) [[ ${words[0]} == list ]] || mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api Name alias list "$function")" -- "$cur") ;;
			esac
			((${#words[@]} == 0)) || return
			;;
		queue)
			((${#words[@]} == 1)) && [[ ${words[0]} != create && ${words[0]} != list ]] && mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api Name queue list)" -- "$cur")
			((${#words[@]} == 0)) || return
			;;
		mapping)
			case ${#words[@]} in
			1)
				if [[ ${words[0]} == create || ${words[0]} == list ]]; then
					mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api FunctionName list)" -- "$cur")
				else
					mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api UUID mapping list)" -- "$cur")
				fi
				;;
			2) [[ ${words[0]} == create ]] && mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api Name queue list)" -- "$cur") ;;
			esac
			((${#words[@]} == 0)) || return
			;;
		async | concurrency | url)
			((${#words[@]} == 1)) && mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api FunctionName list)" -- "$cur")
			((${#words[@]} == 0)) || return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$options $global" -- "$cur")
} && complete -F _fnctl fnctl
