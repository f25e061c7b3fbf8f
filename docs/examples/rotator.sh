#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A whole rotator: docs/rotators.md says what it has to do.  Its target is a directory with
# one file per account, which holds that account's password.  Needs sh and jq.
#
# config: {"directory": "/srv/accounts", "account": "app"}        one account, or
#         {"directory": "/srv/accounts", "accounts": ["a", "b"]}  two in turn
set -u
umask 077
PATH=/usr/local/bin:/usr/bin:/bin # the environment is empty
LC_ALL=C

# Secret values are in shell variables and on pipes: printf, read and [ are built into the
# shell, so that no value is ever an argument of a program.  Messages are constants.

reply() { # STATUS [MESSAGE]
	printf '{"v":1,"status":"%s","message":"%s"}\n' "$1" "${2-}"
	exit 0
}

fail() { # CLASS MESSAGE
	printf '{"v":1,"status":"error","class":"%s","message":"%s"}\n' "$1" "$2"
	exit 0
}

# --- the request ------------------------------------------------------------------------

# One document of known types, as assignments that the shell reads; jq quotes them.
parse='
def text: if . == null then "" elif type == "string" and (test("[\u0000-\u001f\u007f]") | not)
          then . else error("no text") end;
def password: if . == null then null else .fields end | .password | text;
def username: if . == null then null else .fields end | .username | text;
if length != 1 or (.[0] | type) != "object" or .[0].v != 1 then error("no request") else .[0] end
| (.config.accounts // [.config.account]) as $accounts
| @sh "op=\(.op | text) attempt=\(.attempt | text) directory=\(.config.directory | text)",
  @sh "account1=\($accounts[0] | text) account2=\($accounts[1] | text)",
  @sh "retire=\(.config.retire // "scramble" | text)",
  @sh "current_user=\(.current | username) current=\(.current | password)",
  @sh "pending_user=\(.pending | username) pending=\(.pending | password)",
  @sh "previous_user=\(.previous | username) previous=\(.previous | password)"'

assignments=$(head -c 262144 | jq -rs "$parse" 2>/dev/null) || fail permanent 'not a request'
eval "$assignments"
unset assignments

# --- the target -------------------------------------------------------------------------

# Only accounts that the configuration names, whatever the secret says; no paths.
check_account() { # NAME
	case $1 in
	'' | .* | */*) fail permanent 'no name of an account' ;;
	"$account1" | "$account2") ;;
	*) fail permanent 'the account is none of the configuration' ;;
	esac
}

check_target() {
	[ -d "$directory" ] || fail retryable 'the directory is not there'
}

stored_of() { # NAME: sets stored; false if there is no such account
	stored=
	[ -e "$directory/$1" ] && IFS= read -r stored <"$directory/$1"
}

# All of the new value or all of the old one, whenever the power fails or we are killed.
store() { # NAME VALUE
	printf '%s\n' "$2" >"$directory/.$1.new" && sync "$directory/.$1.new" &&
		mv "$directory/.$1.new" "$directory/$1" ||
		fail retryable 'the value cannot be written'
}

verdict() { # NAME VALUE: valid, invalid or unknown
	case $1 in
	.* | */*) echo invalid ;;
	*)
		if [ ! -d "$directory" ]; then
			echo unknown
		elif stored_of "$1" && [ "$stored" = "$2" ]; then
			echo valid
		else
			echo invalid
		fi
		;;
	esac
}

# --- the steps --------------------------------------------------------------------------

describe() {
	cat <<-'END'
		{"v":1,"status":"ok","describe":{
		  "strategies":["single","dual_user"],"overlap":true,"needs_admin":false,
		  "ops":["describe","probe","set","test","retire","revert"],
		  "value":{"min":8,"max":128,"forbid":""}}}
	END
}

# No side effects; "unknown" if the target cannot be asked.
probe() {
	sep=
	printf '{"v":1,"status":"ok","probe":{'
	for which in current pending previous; do
		eval "user=\$${which}_user value=\$$which"
		[ -n "$user" ] && [ -n "$value" ] || continue
		printf '%s"%s":"%s"' "$sep" "$which" "$(verdict "$user" "$value")"
		sep=,
	done
	printf '}}\n'
}

# Makes VALUE valid, if it is not.  A change of one account needs the value that it had:
# who does not know it may not change it.
set_value() { # NAME VALUE OLD-NAME OLD-VALUE
	check_account "$1"
	[ -n "$2" ] || fail permanent 'there is no value'
	check_target
	stored_of "$1" || fail permanent 'there is no such account'
	[ "$stored" != "$2" ] || reply noop 'the account has this value already'
	if [ -z "$account2" ]; then
		[ "$3" = "$1" ] && [ "$stored" = "$4" ] ||
			fail auth 'the value in use is not the one of the request'
	elif [ "$3" = "$1" ]; then
		fail permanent 'the account is in use'
	fi
	store "$1" "$2"
	reply ok
}

test_value() {
	check_account "$pending_user"
	check_target
	[ "$(verdict "$pending_user" "$pending")" = valid ] ||
		fail permanent 'the new value does not work'
	reply ok
}

retire_value() {
	[ -n "$account2" ] || reply noop 'setting the new value ended the old one'
	[ -n "$previous_user" ] || reply noop 'there is no previous value'
	check_account "$previous_user"
	[ "$previous_user" != "$current_user" ] || fail permanent 'the account is in use'
	check_target
	case $retire in
	keep) reply noop 'the configuration keeps the old value' ;;
	scramble) ;;
	*) fail permanent 'this rotator can scramble or keep' ;;
	esac
	[ "$(verdict "$previous_user" "$previous")" = valid ] || reply noop 'it is gone'
	store "$previous_user" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
	reply ok
}

case ${op-} in
describe) describe && exit 0 ;;
esac
case ${attempt-} in
*[!0-9a-f]* | '') fail permanent 'not a request' ;;
esac
case $op in
probe) probe ;;
set) set_value "$pending_user" "$pending" "$current_user" "$current" ;;
revert)
	[ -z "$account2" ] || reply noop 'the current value has been left as it is'
	set_value "$current_user" "$current" "$pending_user" "$pending"
	;;
test) test_value ;;
retire) retire_value ;;
*) fail permanent 'no such step' ;;
esac
