#!/bin/sh
# Makes the county's own certificates with openssl. Never run on the broker that faces the schools.
#   make-certificates.sh DIRECTORY ca NAME            once; valid ten years
#   make-certificates.sh DIRECTORY server HOST...     names or addresses the schools will use; two years
#   make-certificates.sh DIRECTORY client ID [DAYS]   a school's site id, `collector`, `duty-desk`
# What is there is not overwritten: remove it to have it issued anew.
set -eu
umask 077

usage() {
	sed -n 's/^#   //p' "$0" >&2
	exit 2
}

fail() {
	echo "make-certificates: $*" >&2
	exit 1
}

absent() {
	[ ! -e "$directory/$1.pem" ] || fail "$directory/$1.pem is there already; remove it first to issue it anew"
}

# issue NAME SUBJECT DAYS EXTENSION...: a certificate signed by the county
issue() {
	name=$1 subject=$2 days=$3
	shift 3
	[ -e "$directory/ca.key" ] || fail "no authority in $directory yet: run '$0 $directory ca NAME' first"
	printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'subjectKeyIdentifier=hash' \
		'authorityKeyIdentifier=keyid' 'keyUsage=critical,digitalSignature' "$@" \
		>"$directory/$name.extensions"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -utf8 \
		-keyout "$directory/$name.key" -out "$directory/$name.request" -subj "/CN=$subject" 2>/dev/null
	openssl x509 -req -in "$directory/$name.request" -days "$days" -sha256 \
		-CA "$directory/ca.pem" -CAkey "$directory/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
		-extfile "$directory/$name.extensions" -out "$directory/$name.pem" 2>/dev/null
	rm "$directory/$name.extensions" "$directory/$name.request"
	chmod 644 "$directory/$name.pem"
	echo "$directory/$name.pem and $name.key"
}

[ $# -ge 3 ] || usage
directory=$1 what=$2
shift 2
mkdir -p "$directory"

case $what in
ca)
	absent ca
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -utf8 -sha256 -days 3650 \
		-keyout "$directory/ca.key" -out "$directory/ca.pem" -subj "/CN=$1" \
		-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
	chmod 644 "$directory/ca.pem"
	echo "$directory/ca.pem goes to every school; keep $directory/ca.key off the network"
	;;
server)
	absent server
	names=
	for host in "$@"; do
		case $host in
		*[!0-9.]*) kind=DNS ;;
		*) kind=IP ;;
		esac
		names="$names${names:+,}$kind:$host"
	done
	issue server "$1" 730 'extendedKeyUsage=serverAuth' "subjectAltName=$names"
	;;
client)
	printf '%s' "$1" | grep -Eqx '[a-z0-9-]{1,32}' || fail "'$1' is no id: 1 to 32 of a-z, 0-9 and -"
	absent "$1"
	issue "$1" "$1" "${2:-730}" 'extendedKeyUsage=clientAuth'
	;;
*)
	usage
	;;
esac
