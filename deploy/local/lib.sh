# Shared by up, down, demo, install and tests/run; sourced, never run.
# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit
SECONDS=${NETAUTOMATION_SECONDS:-0} # a script that calls another one passes its clock on

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/deploy/local
user=${NETAUTOMATION_USER:-netautomation}
server=netautomation.internal
region=us-east-1

progress() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }
die() { echo "${0##*/}: $1" >&2; exit "${2:-1}"; }
need_root() { [ "$(id -u)" = 0 ] || die "needs root, to make network namespaces, a lab of routers and an unprivileged user for the services" 3; }
random() { openssl rand -hex "${1:-16}"; }
# Digits that are an AWS account id: twelve, the first not zero.
random_account() { printf '%d%011d' "$((RANDOM % 9 + 1))" "$((16#$(random 5) % 100000000000))"; }

# Where everything of one stack is. $1: --index, the number of the first tenant's transit net; a stack that exists knows its own.
use_stack() {
  state=$(realpath -m "${NETAUTOMATION_STATE:-$root/.local/stack}")
  logs=$state/logs
  index=${1:-1} tenants=1 devices=3 data=''
  port_base=${NETAUTOMATION_PORT_BASE:-}
  # shellcheck disable=SC1091
  [ ! -e "$state/stack" ] || . "$state/stack"
  [[ $index =~ ^[0-9]+$ && $index -ge 1 && $index -le 254 ]] || die "--index must be 1 to 254" 2
  port_base=${port_base:-$((18000 + 20 * index))}
  port_customer=$((port_base + 1)) port_connector=$((port_base + 2)) port_operator=$((port_base + 3)) port_registration=$((port_base + 4))
  port_peer=$((port_base + 5)) port_aws=$((port_base + 6)) port_control=$((port_base + 7))
  export NETAUTOMATION_LOCAL=$state NETAUTOMATION_PG_USER=$user
  work=/run/netautomation-local/$index
  data=${data:-$state} app=${data:-$state}/app
}

# A clone may be in a directory the service user cannot enter, and the path of a socket may hold 107 bytes only.
place_data() {
  if [ ${#state} -gt 60 ] || ! as_user test -x "$state"; then data=/var/lib/netautomation-local/$(printf %s "$state" | sha256sum | head -c 12); fi
  app=$data/app
}

make_user() { id "$user" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"; }
as_user() { (cd / && setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"); }
own_directory() { mkdir -p "$1"; chown "$user:$user" "$1"; chmod 700 "$1"; }
# Writes standard input to a file only the service user can read.
own_file() { (umask 077; cat > "$1.new"); chown "$user:$user" "$1.new"; mv "$1.new" "$1"; }
secret_file() { (umask 077; cat > "$1"); }

quietly() { # log name, command
  local log=$logs/$1.log; shift
  "$@" >>"$log" 2>&1 || { tail -n 25 "$log" >&2; die "failed: $* (see $log)"; }
}

# Waits until a command succeeds. $1: seconds, $2: what for.
await() {
  local until=$((SECONDS + $1)) what=$2; shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || die "waited in vain for $what"
    sleep 0.2
  done
}

# A pid alone may be another process by now; with its start time it is not.
started_at() { local stat; stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; stat=${stat##*) }; set -- $stat; echo "${20}"; }
alive() { [ -e "$state/pids/$1" ] && { read -r pid started < "$state/pids/$1"; [ "$(started_at "$pid" || true)" = "$started" ]; }; }

# Starts a program as the service user: $1 name, $2 prefix (such as "ip netns exec NS") or "", $3 file of environment variables.
start() {
  local name=$1 prefix=$2 variables=$3; shift 3
  # shellcheck disable=SC2086
  (cd / && umask 077 && exec setsid $prefix setpriv --reuid "$user" --regid "$user" --init-groups -- \
    env -i PATH="$PATH" LANG=C.UTF-8 HOME="$data/home" DOTNET_ROOT="$dotnet_root" bash -c 'set -a; . "$1"; set +a; shift; exec "$@"' start "$variables" "$@"
  ) >>"$logs/$name.log" 2>&1 </dev/null &
  echo "$! $(started_at $!)" > "$state/pids/$name"
}

stop() { # name, seconds of patience
  alive "$1" || { rm -f "$state/pids/$1"; return 0; }
  local pid started until=$((SECONDS + $2))
  read -r pid started < "$state/pids/$1"
  kill "$pid" 2>/dev/null || true
  while alive "$1"; do
    [ "$SECONDS" -lt "$until" ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$state/pids/$1"
}

# An SDK under root's home cannot be run by the service user: then its runtime is copied.
find_dotnet() {
  command -v dotnet >/dev/null || die "the .NET SDK $(jq -r .sdk.version "$root/global.json" 2>/dev/null) is missing: https://dotnet.microsoft.com/download" 3
  dotnet_root=$(dirname "$(realpath "$(command -v dotnet)")")
  if ! as_user test -x "$dotnet_root/dotnet"; then
    mkdir -p "$data/dotnet"
    cp -ru "$dotnet_root/dotnet" "$dotnet_root/host" "$dotnet_root/shared" "$data/dotnet/"
    dotnet_root=$data/dotnet
  fi
}

publish() {
  mkdir -p "$root/.local"
  exec 9>"$root/.local/build.lock"
  flock 9
  local project
  for project in NetAutomation NetAutomation.AwsSimulator NetAutomation.Connector; do
    quietly build dotnet publish "$root/src/$project" -c Release -o "$app/$project" -p:RunAnalyzers=false -p:OpenApiGenerateDocuments=false -v q --nologo
  done
  exec 9>&-
  chmod -R a+rX "$app"
}

tenant_index() { echo "$((index + $1 - 1))"; }
vpc_of() { echo "t$(tenant_index "$1")"; }
# Where the tenant's endpoint answers: an address in the customer's own network.
front_of() { echo "100.64.$(tenant_index "$1").1"; }
network_of() { echo "na-$(vpc_of "$1")"; }

# A call as the customer makes it: through the endpoint, checked against the authority, key from a file. Prints the answer.
api() { # tenant, method, path, curl arguments
  local tenant=$1 method=$2 path=$3 answer code; shift 3
  answer=$(curl -sS --max-time 90 -w '\n%{http_code}' -K "$state/tenant$tenant/curlrc" -X "$method" "https://$server:8443$path" "$@") ||
    { echo "$method $path: no answer" >&2; return 1; }
  code=${answer##*$'\n'}
  printf '%s' "${answer%$'\n'*}"
  [[ $code == 2* ]] || { echo "$method $path: $code ${answer%$'\n'*}" >&2; return 1; }
}
send() { # tenant, method, path, json; the Idempotency-Key makes a repeat harmless
  api "$1" "$2" "$3" -H 'Content-Type: application/json' -H "Idempotency-Key: $(random 16)" --data-binary @- <<<"$4"
}
staff() { # method, path, json or "", curl arguments
  local method=$1 path=$2 body=${3:-}; shift 2; [ $# = 0 ] || shift
  curl -sS --fail-with-body --max-time 60 -K "$state/operator.curlrc" -X "$method" "https://$server:$port_operator/operator/v1$path" \
    ${body:+-H 'Content-Type: application/json' --data-binary "$body"} "$@"
}
curl_settings() { # port, address, key; what curl needs to reach a listener
  printf 'cacert = "%s"\nresolve = "%s:%s:%s"\nheader = "Authorization: Bearer %s"\n' "$state/ca.pem" "$server" "$1" "$2" "$3"
}
simulate() { # method, path, json?
  curl -sS --fail-with-body --max-time 30 -X "$1" "http://127.0.0.1:$port_control$2" ${3:+-H 'Content-Type: application/json' --data-binary "$3"}
}
