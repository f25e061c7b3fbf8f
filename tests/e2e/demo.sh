#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on real programs: every step is observed, or the demo ends with status 1.
# Everything lives on loopback, in one temporary directory, and ends with the script.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${VAULTD_BIN_DIR:-build/bin}
bin=$(cd "$bin" && pwd)

tmp=$(mktemp -d /tmp/vaultd-demo.XXXXXX)
run=$(mktemp -d /dev/shm/vaultd-demo.XXXXXX)
pg=$(mktemp -d /tmp/vaultd-demo-pg.XXXXXX)
chmod 711 "$run"
pids=()
cleanup() {
	status=$?
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	if [ $status -ne 0 ]; then
		printf '\n--- vaultd\n'; tail -n 20 "$tmp"/vaultd.log 2>/dev/null || true
		printf -- '--- vault-agent\n'; tail -n 20 "$tmp"/agent.log 2>/dev/null || true
	fi
	rm -rf "$tmp" "$run" "$pg"
}
trap cleanup EXIT

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }
within() { # within SECONDS COMMAND…: until it succeeds
	local end=$((SECONDS + $1)); shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}
port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
field() { /usr/bin/python3 -c 'import json, sys
v = json.load(sys.stdin)
for k in sys.argv[1].split("."): v = v[int(k)] if isinstance(v, list) else v[k]
print(v)' "$1"; }
ctl() { "$bin/vaultctl" "$@"; }

export HOME=$tmp
unset VAULT_TOKEN VAULT_ADDR VAULT_PIN VAULT_FORMAT VAULT_CACERT 2>/dev/null || true

serve() { # serve NAME DATA_DIR: start a vaultd, wait for its port
	local name=$1 data=$2
	api=$(port) hosts=$(port)
	printf 'data_dir: %s\nlisten: 127.0.0.1:%s\nlisten_hosts: 127.0.0.1:%s\n' "$data" "$api" "$hosts" >"$tmp/$name.yaml"
	"$bin/vaultd" --config "$tmp/$name.yaml" >>"$tmp/vaultd.log" 2>&1 &
	vaultd=$!
	pids+=("$vaultd")
	export VAULT_ADDR=https://127.0.0.1:$api
	within 20 test -s "$data/tls/server.pin" || die "vaultd made no server key"
	VAULT_PIN=$(cat "$data/tls/server.pin")
	export VAULT_PIN
	within 20 curl -sk "$VAULT_ADDR/v1/sys/seal-status" || die "vaultd does not answer"
}
unseal() {
	for i in 0 2 4; do
		field "keys_base64.$i" <"$tmp/init.json" | ctl operator unseal -format=json >"$tmp/unseal.json"
	done
	[ "$(field sealed <"$tmp/unseal.json")" = False ] || die "three of five shares did not unseal"
}

step "Init and unseal: five shares, any three open the vault"
serve vaultd "$tmp/data"
ctl operator init -key-shares 5 -key-threshold 3 -format=json >"$tmp/init.json" 2>/dev/null
unseal
VAULT_TOKEN=$(field root_token <"$tmp/init.json")
export VAULT_TOKEN
show vaultctl status
ctl status

step "A policy and a secret"
show "vaultctl policy write app -"
ctl policy write app - <<'POLICY'
path "secret/data/app/*" { capabilities = ["read"] }
POLICY
show "vaultctl kv put secret/app/db -"
printf '{"username": "orders", "password": "first-value-of-the-demo"}' | ctl kv put secret/app/db -
printf '{"username": "orders_a", "password": "first-value-of-orders"}' | ctl kv put secret/app/pg - >/dev/null
reader=$(ctl token create -policy app -format=json | field auth.client_token)
[ "$(VAULT_TOKEN=$reader ctl kv get -field username secret/app/db)" = orders ] || die "the policy does not let its token read"
if VAULT_TOKEN=$reader ctl kv get secret/other 2>"$tmp/denied"; then die "the policy let its token read too much"; fi
echo "another path: $(cat "$tmp/denied")"

step "A host joins; its file appears on tmpfs with the right mode"
ctl host-role write web 'secret/app/*' >/dev/null
show "vaultctl host add web1 --role web"
ctl host add web1 --role web -format=json >"$tmp/join.json"
cat >"$tmp/agent.yaml" <<YAML
server: $VAULT_ADDR
hosts_server: https://127.0.0.1:$hosts
state_dir: $tmp/agent
run_dir: $run
status_socket: $tmp/agent.sock
files:
  - {path: secret/app/db, field: password, binding: orders, name: password, mode: "0440"}
  - {path: secret/app/db, field: username, binding: orders, name: username, mode: "0444"}
  - {path: secret/app/pg, field: username, binding: pg, name: username, mode: "0444"}
  - {path: secret/app/pg, field: password, binding: pg, name: password, mode: "0440"}
YAML
field data.join_token <"$tmp/join.json" | "$bin/vault-agent" join --config "$tmp/agent.yaml" \
	--server "$VAULT_ADDR" --hosts-server "https://127.0.0.1:$hosts" --pin "$VAULT_PIN"
"$bin/vault-agent" run --config "$tmp/agent.yaml" >>"$tmp/agent.log" 2>&1 &
agent=$!
pids+=("$agent")
file=$run/orders/password
within 20 test -r "$file" || die "no file appeared"
stat -L -c '%n: mode %a, owner %U, on %m' "$file"
[ "$(stat -L -c %a "$file")" = 440 ] || die "wrong mode"
[ "$(stat -L -c %u "$file")" = "$(id -u)" ] || die "wrong owner"
[ "$(stat -f -L -c %T "$file")" = tmpfs ] || die "the file is not on tmpfs"
[ "$(cat "$file")" = first-value-of-the-demo ] || die "wrong content"
"$bin/vault-agent" status --config "$tmp/agent.yaml"

step "Rotate: done when every host has the new value"
ctl rotation set secret/app/db --field password --length 40 --classes lower,upper,digit
before=$(cat "$file")
show "vaultctl rotate secret/app/db"
ctl rotate secret/app/db
[ "$(cat "$file")" != "$before" ] || die "the file still has the old value"
[ "$(cat "$file")" = "$(ctl kv get -field password secret/app/db)" ] || die "file and vault differ"
[ "$(cat "$run/orders/username")" = orders ] || die "the other field was not copied"

pgbin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
if [ -n "$pgbin" ]; then
	step "Rotate a PostgreSQL password under a client that logs in all the time"
	pg_port=$(port)
	as_pg=()
	if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
		chown postgres: "$pg"
		as_pg=(setpriv --reuid postgres --regid postgres --clear-groups)
	fi
	cd "$pg"
	"${as_pg[@]}" "$pgbin/initdb" -D "$pg/data" -U postgres --auth-local=trust --auth-host=scram-sha-256 --no-sync >/dev/null
	"${as_pg[@]}" "$pgbin/postgres" -D "$pg/data" -k "$pg" -p "$pg_port" -c listen_addresses=127.0.0.1 -c fsync=off \
		>"$pg.log" 2>&1 &
	pids+=("$!")
	cd - >/dev/null
	within 20 "$pgbin/pg_isready" -q -h "$pg" -p "$pg_port" || die "PostgreSQL does not answer"
	rm -f "$pg.log"
	admin=$(head -c 18 /dev/urandom | base64)
	"$pgbin/psql" -h "$pg" -p "$pg_port" -U postgres -qX <<-SQL
		CREATE ROLE vault_admin CREATEROLE LOGIN PASSWORD '$admin';
		CREATE ROLE orders_a LOGIN PASSWORD 'first-value-of-orders';
		CREATE ROLE orders_b LOGIN;
	SQL
	printf '{"rotator": "postgres", "config": {"host": "127.0.0.1", "port": %s, "database": "postgres", "sslmode": "disable"},
		"admin": {"username": "vault_admin", "password": "%s"}}' "$pg_port" "$admin" | ctl write sys/rotation/targets/orders -
	printf '{"target": "orders", "strategy": "dual_user", "accounts": ["orders_a", "orders_b"], "field": "password", "grace": "1s"}' |
		ctl write sys/rotation/config/secret/app/pg -
	cat >"$tmp/client.sh" <<'CLIENT'
# Log in with what the agent has delivered, ten times a second, as a program that opens connections does.
while [ ! -e "$1/stop" ]; do
	now=$(readlink -f "$2/password"); now=${now%/*}
	name=$(cat "$now/username" 2>/dev/null) && PGPASSWORD=$(cat "$now/password" 2>/dev/null) || continue
	export PGPASSWORD
	if "$3/psql" -h 127.0.0.1 -p "$4" -U "$name" -d postgres -XAtqw -c "SELECT 1" >/dev/null 2>"$1/login.err"; then
		echo "ok $name"
	else
		echo "FAILED $name: $(cat "$1/login.err")"
	fi
	sleep 0.1
done
CLIENT
	bash "$tmp/client.sh" "$tmp" "$run/pg" "$pgbin" "$pg_port" >"$tmp/logins" 2>&1 &
	client=$!
	within 20 test -s "$tmp/logins" || die "the client does not log in"
	for _ in 1 2 3 4 5; do
		within 20 sh -c "'$bin/vaultctl' rotation status secret/app/pg -format=json | grep -Eq '\"ended\": ?true|\"has_attempt\": ?false' ||
			! '$bin/vaultctl' rotation status secret/app/pg -format=json | grep -q '\"last\"'"
		show "vaultctl rotate secret/app/pg"
		ctl rotate secret/app/pg | head -n 1
		sleep 0.3
	done
	touch "$tmp/stop"
	wait "$client"
	sort "$tmp/logins" | uniq -c
	if grep -q FAILED "$tmp/logins"; then die "a login failed"; fi
	[ "$(grep -c ok "$tmp/logins")" -ge 10 ] || die "the client has hardly logged in"
	if PGPASSWORD=first-value-of-orders "$pgbin/psql" -h 127.0.0.1 -p "$pg_port" -U orders_a -d postgres -Xqw -c "SELECT 1" \
		>/dev/null 2>&1; then die "the first password still works"; fi
	echo "not one login failed, and the first password is dead"
fi

mkdir "$tmp/docker"
TMPDIR=$tmp/docker VAULTD_BIN_DIR=$bin /usr/bin/python3 tests/e2e/demo_docker.py "$tmp/docker" "https://127.0.0.1:$hosts" &
containers=$!
pids+=("$containers") # who ends the demo waits until its Engine has ended
wait "$containers" || die "containers were not served as they should be"
unset 'pids[-1]'

step "kill -9 of the core under load: nothing that was acknowledged is lost"
cat >"$tmp/load.py" <<'PY'
import http.client, json, ssl, sys, threading, time
port, token, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); ctx.check_hostname = False; ctx.verify_mode = ssl.CERT_NONE
acked, stop, lock = {}, time.monotonic() + 3, threading.Lock()
def writer(w):
    n, conn = 0, None
    while time.monotonic() < stop:
        n += 1
        try:
            conn = conn or http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=ctx)
            conn.request("POST", f"/v1/secret/data/load/{w}", json.dumps({"data": {"n": n}}), {"X-Vault-Token": token})
            r = conn.getresponse(); body = r.read()
            if r.status == 200:
                with lock: acked[w] = (json.loads(body)["data"]["version"], n)
            else: time.sleep(0.02)
        except (OSError, http.client.HTTPException):
            conn = None; time.sleep(0.02)
threads = [threading.Thread(target=writer, args=(w,)) for w in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
json.dump(acked, open(out, "w"))
PY
/usr/bin/python3 "$tmp/load.py" "$api" "$VAULT_TOKEN" "$tmp/acked.json" &
load=$!
sleep 1.5
core=$(pgrep -P "$vaultd" -f -- '--role[ =]core') || die "no core process found"
show "kill -9 $core    # the core"
kill -9 "$core"
wait "$load"
within 20 sh -c "curl -sk $VAULT_ADDR/v1/sys/seal-status | grep -q '\"sealed\":true'" || die "the new core is not there, or not sealed"
echo "the supervisor has started a new core, sealed"
unseal
/usr/bin/python3 - "$api" "$VAULT_TOKEN" "$tmp/acked.json" <<'PY' || die "an acknowledged write is gone"
import http.client, json, ssl, sys
port, token, acked = int(sys.argv[1]), sys.argv[2], json.load(open(sys.argv[3]))
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); ctx.check_hostname = False; ctx.verify_mode = ssl.CERT_NONE
conn = http.client.HTTPSConnection("127.0.0.1", port, context=ctx)
assert acked, "nothing was written"
for w, (version, n) in acked.items():
    conn.request("GET", f"/v1/secret/data/load/{w}", headers={"X-Vault-Token": token})
    d = json.loads(conn.getresponse().read())["data"]
    assert d["metadata"]["version"] >= version and d["data"]["n"] >= n, (w, version, n, d)
print(f"{sum(v for v, _ in acked.values())} acknowledged writes by {len(acked)} writers: all there")
PY

step "A backup is taken, verified, restored elsewhere, and opens with the same shares"
show "vaultctl backup vault.vbk"
ctl backup "$tmp/vault.vbk"
vkey=$(ctl audit checkpoint --key)
ctl verify-backup "$tmp/vault.vbk" --key "$vkey"
show "vaultctl restore vault.vbk --data-dir restored"
ctl restore "$tmp/vault.vbk" --data-dir "$tmp/restored"
cp -a "$tmp/data/tls" "$tmp/restored/" # the server's own key is not in the backup: hosts pin it
here=$VAULT_ADDR pin=$VAULT_PIN here_api=$api
serve restored "$tmp/restored"
restored=$vaultd
unseal
[ "$(ctl kv get -field username secret/app/db)" = orders ] || die "the restored vault does not have the secret"
if VAULT_TOKEN=$reader ctl kv get secret/app/db >/dev/null 2>&1; then die "a token outlived the restore"; fi
echo "the restored vault has the secret; tokens of the time before are void"
kill "$restored"; wait "$restored" 2>/dev/null || true
export VAULT_ADDR=$here VAULT_PIN=$pin
api=$here_api

step "Revoking the host wipes its files"
show "vaultctl host revoke web1"
ctl host revoke web1 --yes
within 20 sh -c "! test -e '$file'" || die "the file is still there"
echo "$file is gone"

step "The audit log has it all, and proves it"
show "vaultctl audit list --limit 12"
ctl audit list --limit 12
show "vaultctl audit verify"
ctl audit export "$tmp/audit.jsonl"
ctl audit verify --export "$tmp/audit.jsonl" --key "$vkey" || [ $? -eq 0 ] || die "the log does not verify"
step "One byte of one record in the backup is changed: verification names the record"
/usr/bin/python3 - "$tmp/vault.vbk" <<'PY'
import sqlite3, sys
raw = bytearray(open(sys.argv[1], "rb").read())
image = bytes(raw[4096:])
open(sys.argv[1] + ".db", "wb").write(image)
row = sqlite3.connect(sys.argv[1] + ".db").execute("SELECT envelope FROM audit WHERE idx = 5").fetchone()[0]
at = image.find(row) + 4096 + len(row) // 2
raw[at] ^= 1
open(sys.argv[1], "wb").write(raw)
PY
if ctl audit verify --backup "$tmp/vault.vbk" --key "$vkey" >"$tmp/verify.out" 2>&1; then die "the change was not noticed"; fi
cat "$tmp/verify.out"
grep -qE '\b5\b' "$tmp/verify.out" || die "the record was not named"

printf '\ndemo: all of it was observed\n'
