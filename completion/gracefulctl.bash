# Completion for gracefulctl(1), loaded by bash-completion.
# shellcheck shell=bash

# The slots that there are, by the first column of the table below the empty line.
_gracefulctl_slots() {
	local socket=("$@")
	COLUMNS=200 gracefulctl "${socket[@]}" status 2>/dev/null |
		awk 'table && $1 ~ /^[0-9]+$/ { print $1 } /^$/ { table = 1 }' | sort -nu
}

_gracefulctl() {
	local current=$2 previous=$3 command='' i socket=()
	COMPREPLY=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket)
			socket=(-s "${COMP_WORDS[++i]}")
			;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	# "=" is a word of its own
	[[ $current != = ]] || current=''
	[[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}

	local words=''
	case $command:$previous in
	:-s | :--socket)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	reload:--wait) words='drained ready no' ;;
	reload:--timeout) ;;
	:*) words='status reload check diff config scale restart events upstreams upstream stop --socket --version --help' ;;
	status:*) words='--json --watch --help' ;;
	reload:*) words='--wait= --timeout= --if-changed --help' ;;
	events:* | upstreams:*) words='--json --help' ;;
	upstream:upstream) words='drain enable --help' ;;
	stop:*) words='--now --help' ;;
	restart:restart) words=$(_gracefulctl_slots "${socket[@]}") ;;
	check:* | diff:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	[[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -F _gracefulctl gracefulctl
