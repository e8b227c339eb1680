#!/bin/sh
# Installs the Debian packages that the tests need, and nothing that is there
# already. No service is started, no existing configuration is touched, no
# other package is removed. Without root or apt it says what is missing.
#
#   contrib/deps.sh          install what is missing
#   contrib/deps.sh --list   print all packages, one a line
set -eu

# package            what the tests need of it
packages="
mariadb-server       mariadbd, mariadb-install-db
mariadb-client       mariadb, for a look into a test's database
postfix              the mail system that hands messages over
postfix-ldap         Postfix's own LDAP tables, which ours are compared with
postsrsd             rewrites the envelope senders of forwards
dovecot-lmtpd        the LMTP server that benchmarks compare with
slapd                the directory server
ldap-utils           ldapsearch, ldapmodify
redis-server         shared counters
systemd              systemd-analyze, which checks the units
gcc                  the race detector is linked with it
libc6-dev            likewise
git                  the version that is stamped into programs
ca-certificates      Go modules come over HTTPS
"
names=$(printf '%s' "$packages" | sed -n 's/^\([a-z0-9][^ ]*\).*/\1/p')

if [ "${1:-}" = --list ]; then
	printf '%s\n' "$names"
	exit 0
fi

if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is no Debian system; install by hand what provides:" $names >&2
	exit 1
fi

missing=
for name in $names; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || status=none
	[ "$status" = installed ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "deps: these Debian packages are missing:$missing" >&2
	echo "deps: as root: apt-get install$missing" >&2
	exit 1
fi

echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive

# What is installed must not start its services (policy-rc.d(8)); an
# administrator's own policy stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\n# Put here by Gatepost'"'"'s contrib/deps.sh while it installs.\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

# New packages get no configuration of their own; what debconf or /etc know
# already stays as it is.
new() { case " $missing " in *" $1 "*) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" != config-files ] ;; *) false ;; esac; }
new postfix && echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
new slapd && echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections

install() {
	apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
		--no-install-recommends --no-remove install $missing
}
apt-get -q -o DPkg::Lock::Timeout=300 update || echo "deps: apt-get update failed; trying with the lists that are here" >&2
if ! install; then
	echo "deps: apt-get could not install$missing (see above; an installed mail server that postfix would replace is one reason)" >&2
	exit 1
fi
echo "deps: installed$missing; no service was started (on a machine with systemd they start at its next boot, unless disabled)"
