# bash completion for fnctl: commands, options, names of functions and runtimes (asked of fnd, briefly and quietly).

_fnctl_api() # COMMAND, MEMBER: values, one a line, from the daemon that the command line names
{
	timeout 2 fnctl "${_fnctl_where[@]}" --output json "$1" 2>/dev/null | tr ',[{' '\n' | sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p"
}

_fnctl_runtimes()
{
	timeout 2 fnctl "${_fnctl_where[@]}" --output json images 2>/dev/null | tr -d '\n' | tr '}' '\n' | grep '"Installed": *true' |
		grep -o '"Runtimes": *\[[^]]*\]' | grep -o '"[a-z][^"]*"' | tr -d '"'
}

_fnctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' words=0 i
	local commands='create update deploy list get delete invoke logs doctor images' global='--endpoint --region --output --help'
	local options='' _fnctl_where=()

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
		--region | --output | --runtime | --handler | --code | --role | --memory | --timeout | --tmp | --env | --description | \
			--payload-file | --qualifier | --client-context | --tail) ((i++)) ;;
		-*) ;;
		*)
			if [[ $command ]]; then ((words++)); else command=${COMP_WORDS[i]}; fi
			;;
		esac
	done
	case $prev in
	--output) mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$cur"); return ;;
	--runtime) mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_runtimes)" -- "$cur"); return ;;
	--code | --payload-file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--endpoint | --region | --handler | --role | --memory | --timeout | --tmp | --env | --description | --qualifier | \
		--client-context | --tail) return ;;
	esac
	case $command in
	'') [[ $cur == -* ]] || { mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur"); return; }; options=--version ;;
	create | update | deploy)
		options='--runtime --handler --code --role --memory --timeout --tmp --env --description --no-wait'
		if [[ $command == deploy && $cur != -* ]] && ((words == 1)); then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	invoke) options='--payload-file --log --time --qualifier --client-context --dry-run --async' ;;
	logs) options='--follow --tail' ;;
	images) ((words == 0)) && options=rescan ;;
	esac
	if [[ $cur != -* ]]; then
		case $command in
		update | deploy | get | delete | invoke | logs)
			((words == 0)) && mapfile -t COMPREPLY < <(compgen -W "$(_fnctl_api list FunctionName)" -- "$cur")
			return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$options $global" -- "$cur")
} && complete -F _fnctl fnctl
