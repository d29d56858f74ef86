# swaks
# shellcheck shell=bash disable=SC2154
swaks_have() { install swaks libnet-ssleay-perl; installed swaks libnet-ssleay-perl; }
swaks_version() { swaks --version | sed -n 's/^swaks version /swaks /p'; }
by_swaks() { # by_swaks PORT MECHANISM [OPTION...]
	local p=$1 mechanism=$2
	shift 2
	head -c -2 "$msg" >"$msg.swaks"		# it ends the last line itself
	limit swaks --server localhost --port "$p" --tls --tls-verify --tls-ca-path "$ca" --auth "$mechanism" --auth-user app --auth-password app-secret \
	    --from "$from" --to "$(IFS=,; echo "${to[*]}")" --ehlo client.example --data "@$msg.swaks" "$@"
}
swaks_rows() { send swaks "587 STARTTLS LOGIN" "$1" hard whole by_swaks "$l587" LOGIN; }
