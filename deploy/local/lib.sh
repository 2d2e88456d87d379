# Shared by the scripts of deploy/local and tests; sourced, never run.
# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit
SECONDS=${NETAUTOMATION_SECONDS:-0} # a script that calls another one passes its clock on

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/deploy/local
user=${NETAUTOMATION_USER:-netautomation}
server=netautomation.internal
region=us-east-1

# Whoever ends a script (TERM, INT, HUP) ends what it started, at once and whichever way it was started:
#   - `supervised` runs the script again in a process group of its own and passes the signal on to that group, since bash alone would wait
#     for the command that it runs. The script ends what it knows of itself (`ends_with`).
#   - What scripts below it start is noted as a command that ends it (`noted`), and ended after it.
#   - $NETAUTOMATION_RUN is a folder for these notes and for scratch (TMPDIR of test programs), which is removed. Its name stands in the
#     environment of all processes below: whatever is there after all that is ended last.
supervised() { # the script's arguments
  [ "${NETAUTOMATION_SUPERVISOR:-}" != "$PPID" ] || return 0
  local signal='' script='' outermost='' code=0 each
  pass_on() {
    [ -z "$signal" ] || return 0
    signal=$1
    [ -z "$script" ] || kill -s "$1" -- "-$script" 2>/dev/null || true
  }
  # Before there is anything to be removed.
  trap 'pass_on TERM' TERM
  trap 'pass_on INT' INT
  trap 'pass_on HUP' HUP
  if [ ! -d "${NETAUTOMATION_RUN:-}" ]; then
    # Short, since it holds unix sockets.
    NETAUTOMATION_RUN=$(mktemp -d /tmp/na.XXXXXX)
    outermost=1
    chmod 1777 "$NETAUTOMATION_RUN"
    mkdir -m 700 "$NETAUTOMATION_RUN/notes"
  fi
  export NETAUTOMATION_RUN NETAUTOMATION_SUPERVISOR=$$
  set -m
  # A group in the background must not touch the terminal, as .NET does where its input is one.
  setpriv --pdeathsig TERM "$0" "$@" </dev/null &
  script=$!
  set +m
  [ -z "$signal" ] || kill -s "$signal" -- "-$script" 2>/dev/null || true
  # A signal interrupts the wait.
  while code=0; wait "$script" || code=$?; kill -0 "$script" 2>/dev/null; do :; done
  trap '' TERM INT HUP
  if [ -n "$outermost" ]; then
    if [ -n "$signal" ]; then
      for each in "$NETAUTOMATION_RUN"/notes/*; do [ ! -e "$each" ] || bash "$each" >&2 || true; done
      end_marked
    fi
    rm -rf "${NETAUTOMATION_RUN:?}"
  fi
  exit "$code"
}
marked() { env -u NETAUTOMATION_RUN grep -lszxF "NETAUTOMATION_RUN=$NETAUTOMATION_RUN" /proc/[0-9]*/environ | cut -d/ -f3; }
end_marked() {
  local signal tries left
  for signal in TERM KILL; do
    for ((tries = 0; tries < 50; tries++)); do
      left=$(marked || true)
      [ -n "$left" ] || return 0
      # shellcheck disable=SC2086
      [ "$tries" != 0 ] || kill -s "$signal" $left 2>/dev/null || true
      sleep 0.1
    done
  done
}
# Notes the command that ends what is started next.
noted() { # name, command
  [ -d "${NETAUTOMATION_RUN:-}" ] || return 0
  local name=$1; shift
  printf '%q ' "$@" > "$NETAUTOMATION_RUN/notes/${name//\//_}"
}
# The function runs when the script ends, whichever way.
ends_with() { # function
  # shellcheck disable=SC2064
  trap "$1" EXIT
  trap 'exit 143' TERM
  trap 'exit 130' INT
  trap 'exit 129' HUP
}

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
  port_peer=$((port_base + 5)) port_aws=$((port_base + 6)) port_control=$((port_base + 7)) port_worker=$((port_base + 8))
  export NETAUTOMATION_LOCAL=$state NETAUTOMATION_PG_USER=$user
  # Ports of the replicas behind the load balancer.
  customer_targets=$port_customer connector_targets=$port_connector
  work=/run/netautomation-local/$index
  data=${data:-$state} app=${data:-$state}/app
}

# A clone may be in a directory the service user cannot enter, and the path of a socket may hold 107 bytes only.
place_data() {
  if [ ${#state} -gt 60 ] || ! as_user test -x "$state"; then data=/var/lib/netautomation-local/$(printf %s "$state" | sha256sum | head -c 12); fi
  app=$data/app
}

make_user() {
  id "$user" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  give_ids uid
  give_ids gid
}
# Ids for sandboxes, of which each has one, behind those that others have. What the user has stays.
give_ids() { # uid or gid
  touch "/etc/sub$1"
  grep -q "^$user:" "/etc/sub$1" ||
    usermod "--add-sub$1s" "$(awk -F: 'BEGIN { from = 100000 } $2 + $3 > from { from = $2 + $3 } END { print from "-" from + 65535 }' "/etc/sub$1")" "$user"
}
as_user() { (cd / && setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"); }
own_directory() { mkdir -p "$1"; chown "$user:$user" "$1"; chmod 700 "$1"; }
# Writes standard input to a file only the service user can read.
own_file() { (umask 077; cat > "$1.new"); chown "$user:$user" "$1.new"; mv "$1.new" "$1"; }
secret_file() { (umask 077; cat > "$1"); }

quietly() { # log name, command
  local log=$logs/$1.log; shift
  "$@" >>"$log" 2>&1 || { tail -n 25 "$log" >&2; die "failed: $* (see $log)"; }
}

# Waits until a command succeeds. $1: what for. Parts that take a second alone take minutes where many start on two processors.
await() {
  local until=$((SECONDS + 180)) what=$1; shift
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || die "waited in vain for $what"
    sleep 0.2
  done
}

# A pid alone may be another process by now; with its start time it is not. One that has ended may wait for its parent for ever.
started_at() { local stat; stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; stat=${stat##*) }; set -- $stat; [ "$1" != Z ] && echo "${20}"; }
alive() { [ -e "$state/pids/$1" ] && { read -r pid started < "$state/pids/$1"; [ "$(started_at "$pid" || true)" = "$started" ]; }; }

# Where control groups are mounted that can bound a sandbox: "point cgroup2", or "point cgroup" in version 1.
group_mounts() {
  local point type options
  while read -r _ point type options _; do
    if [ "$type" = cgroup2 ] || { [ "$type" = cgroup ] && [[ ,$options, =~ ,(pids|memory|cpu|blkio), ]]; }; then echo "$point" "$type"; fi
  done < /proc/self/mounts
}
# Moves this shell into control groups of its own that the service user may divide among sandboxes. Where the host has none, or lets nobody
# make any, the service does without, and its log says so.
enter_groups() { # name
  local point type group each
  while read -r point type; do
    group=$point/netautomation-$index-$1
    if [ "$type" = cgroup2 ]; then
      for each in pids memory cpu io; do echo "+$each" > "$point/cgroup.subtree_control"; done
    fi
    mkdir -p "$group" || continue
    chown "$user:$user" "$group" "$group/cgroup.procs"
    if [ "$type" = cgroup2 ]; then chown "$user:$user" "$group/cgroup.threads" "$group/cgroup.subtree_control"; fi
    # Workers have the processors that calls leave, and a little where other programs of the host would leave none. In version 1, what is
    # beside a group counts by the thread: the shares are what the threads of a service would have.
    if [[ $1 == worker* ]]; then set_first 5 "$group/cpu.weight" || set_first 256 "$group/cpu.shares"
    else set_first "$((1024 * 4 * $(nproc)))" "$group/cpu.shares"; fi
    echo "$BASHPID" > "$group/cgroup.procs"
  done < <(group_mounts) 2>/dev/null || true
}
set_first() { [ -e "$2" ] && echo "$1" > "$2"; } # value, file that this host may have
leave_groups() { # name; what ran in them has ended
  local point
  while read -r point _; do
    [ ! -d "$point/netautomation-$index-$1" ] || find "$point/netautomation-$index-$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done < <(group_mounts)
}

# Starts a program as the service user: $1 name, $2 prefix (such as "ip netns exec NS") or "", $3 file of environment variables.
start() {
  local name=$1 prefix=$2 variables=$3; shift 3
  rm -f "$state/pids/$name"
  # It notes itself before it leaves the group of the script, so that no signal comes between.
  # shellcheck disable=SC2086
  (self=$BASHPID
    echo "$self $(started_at "$self")" > "$state/pids/$name"
    enter_groups "$name" && cd / && umask 077 && exec setsid $prefix setpriv --reuid "$user" --regid "$user" --init-groups -- env -i PATH="$PATH" LANG=C.UTF-8 \
    HOME="$data/home" DOTNET_ROOT="$dotnet_root" NETAUTOMATION_RUN="${NETAUTOMATION_RUN:-}" \
    bash -c 'set -a; . "$1"; set +a; shift; exec "$@"' start "$variables" "$@"
  ) >>"$logs/$name.log" 2>&1 </dev/null &
  while [ ! -s "$state/pids/$name" ] && kill -0 $! 2>/dev/null; do sleep 0.01; done
}

stop() { # name, seconds to wait
  alive "$1" || { rm -f "$state/pids/$1"; leave_groups "$1"; return 0; }
  local pid started until=$((SECONDS + $2))
  read -r pid started < "$state/pids/$1"
  kill "$pid" 2>/dev/null || true
  while alive "$1"; do
    [ "$SECONDS" -lt "$until" ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$state/pids/$1"
  leave_groups "$1"
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
    # Its servers stay for the next build, so their pipes must not go with this script's scratch.
    quietly build env -u TMPDIR dotnet publish "$root/src/$project" -c Release -o "$app/$project" -p:RunAnalyzers=false -p:OpenApiGenerateDocuments=false -v q --nologo
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
curl_settings() { # port, address, key; curl's settings for a listener
  printf 'cacert = "%s"\nresolve = "%s:%s:%s"\nheader = "Authorization: Bearer %s"\n' "$state/ca.pem" "$server" "$1" "$2" "$3"
}
simulate() { # method, path, json?
  curl -sS --fail-with-body --max-time 30 -X "$1" "http://127.0.0.1:$port_control$2" ${3:+-H 'Content-Type: application/json' --data-binary "$3"}
}

# What a stack is made of, in the order of its start.
prepare_stack() { # tenants, devices
  mkdir -p "$logs" "$state/pids"
  tenants=$1 devices=$2
  place_data
  # Whoever ends it needs this first.
  printf 'index=%s tenants=%s devices=%s port_base=%s data=%q\n' "$index" "$tenants" "$devices" "$port_base" "$data" > "$state/stack"
  mkdir -p "$data" "$app"
  chmod 755 "$data" "$app"
  chmod 700 "$logs"
  for each in home keys content connectors; do own_directory "$data/$each"; done
  own_directory "$work"
  # Sandboxes pass through these to what is theirs, as users that are not the service.
  chmod 711 "$work" "$data/content"
  find_dotnet
}

make_certificate() {
  local folder=$data/certificates
  own_directory "$folder"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj "/CN=NetAutomation local authority" \
    -keyout "$folder/authority.key" -out "$folder/ca.pem" 2>/dev/null
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$server" -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
  openssl x509 -req -in "$folder/server.csr" -CA "$folder/ca.pem" -CAkey "$folder/authority.key" -days 365 -out "$folder/server.pem" \
    -extfile <(printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$server") 2>/dev/null
  rm "$folder/server.csr"
  chown "$user:$user" "$folder"/*
  chmod 600 "$folder"/*
  install -m 644 "$folder/ca.pem" "$state/ca.pem"
}

start_database() {
  quietly postgres "$here/postgres" start "$data/pg"
  quietly postgres as_user psql -qX -h "$data/pg" -U postgres -c 'create database netautomation'
}

start_simulator() {
  provider=$(random_account) stranger=$(random_account)
  service_id=vpce-svc-0$(random 8) product=$(random 12) provider_secret=$(random 20)
  jq -n --arg region "$region" --arg provider "$provider" --arg secret "$provider_secret" --arg service "$service_id" --arg product "$product" \
    --arg stranger "$stranger" --arg customer "$customer_targets" --arg connector "$connector_targets" '
    # The connector listener speaks only HTTP/2, and health checks only HTTP/1.1.
    def group($name; $ports; $check): ($ports | split(" ") | map(tonumber)) as $ports
      | {name: $name, port: $ports[0], healthCheck: {protocol: $check}, targets: ($ports | map({id: "127.0.0.1", port: .}))};
    {region: $region, providerAccount: $provider,
     accounts: [{account: $provider, accessKey: "AKIALOCALPROVIDER", secret: $secret}],
     services: [{id: $service, acceptanceRequired: true, allowedPrincipals: ["arn:aws:iam::\($stranger):root"]}],
     loadBalancer: {listeners: [{port: 8443, targetGroup: "customer"}, {port: 8444, targetGroup: "connector"}],
                    targetGroups: [group("customer"; $customer; "HTTPS"), group("connector"; $connector; "TCP")]},
     queues: ["marketplace-events"],
     marketplace: {productCode: $product, dimensions: ["usd"], eventQueue: "marketplace-events"}}' | own_file "$data/simulator.json"
  : | own_file "$data/simulator.env"
  start simulator "" "$data/simulator.env" "$dotnet_root/dotnet" "$app/NetAutomation.AwsSimulator/NetAutomation.AwsSimulator.dll" \
    --config "$data/simulator.json" --urls "http://127.0.0.1:$port_aws" --control-urls "http://127.0.0.1:$port_control"
  await "the simulator" curl -sf -o /dev/null "http://127.0.0.1:$port_control/healthz"
}

# Makes a key of the staff: leaves curl's settings with it, and prints what the service knows of it.
operator_key() { # name, file of the settings, when it ends
  local key; key=nop_$(random 24)
  curl_settings "$port_operator" 127.0.0.1 "$key" | secret_file "$state/$2.curlrc"
  jq -n --arg name "$1" --arg sha256 "$(printf %s "$key" | sha256sum | cut -d' ' -f1)" --arg expires "$3" \
    '{Name: $name, Sha256: $sha256, ExpiresAt: $expires, Roles: ["read", "act", "money"]}'
}

service_settings() { # further settings
  local expires; expires=$(date -u -d '+1 year' +%FT%TZ)
  jq -n --argjson first "$(operator_key local operator "$expires")" --argjson second "$(operator_key local-2 operator2 "$expires")" \
    '{Operator: {Keys: [$first, $second]}}' | own_file "$data/operators.json"
  local database="Host=$data/pg;Database=netautomation"
  local settings=(
    "Database__App=$database;Username=na_app;Maximum Pool Size=60"
    "Database__System=$database;Username=na_system;Maximum Pool Size=60"
    "Database__Owner=$database;Username=postgres"
    "Edge__Listeners__Customer=127.0.0.1:$port_customer"
    "Edge__Listeners__Operator=127.0.0.1:$port_operator"
    "Edge__Listeners__Registration=127.0.0.1:$port_registration"
    "Edge__TrustedPeers__0=127.0.0.1/32"
    "Edge__ServerName=$server"
    "Edge__CertificateFile=$data/certificates/server.pem"
    "Edge__CertificateKeyFile=$data/certificates/server.key"
    "Edge__CertificateAuthorityFile=$data/certificates/ca.pem"
    "AWS_ENDPOINT_URL=http://127.0.0.1:$port_aws"
    "AWS_REGION=$region"
    "AWS_ACCESS_KEY_ID=AKIALOCALPROVIDER"
    "AWS_SECRET_ACCESS_KEY=$provider_secret"
    "AWS_EC2_METADATA_DISABLED=true"
    "Marketplace__Region=$region"
    "Marketplace__Dimension=usd"
    "Marketplace__QueueUrl=http://127.0.0.1:$port_aws/$provider/marketplace-events"
    "Marketplace__ProductCodes__0=$product"
    "Onboarding__ServiceId=$service_id"
    "Onboarding__ServiceName=com.amazonaws.vpce.$region.$service_id"
    "Onboarding__ReconcileInterval=00:00:05"
    "Onboarding__PendingInterval=00:00:01"
    "Onboarding__SecureCookie=false"
    "Onboarding__StsUrl=http://127.0.0.1:$port_aws"
    "Operator__KeysFile=$data/operators.json"
    "Connectors__Listener=127.0.0.1:$port_connector"
    "Catalog__PlatformsDirectory=$app/NetAutomation/platforms"
    "Catalog__BlocksDirectory=$app/NetAutomation/blocks"
    "Catalog__ContentDirectory=$data/content"
    "Inventory__KeyDirectory=$data/keys"
    "Execution__WorkDirectory=$work"
    "Serilog__MinimumLevel__Override__Microsoft=Warning"
    "$@"
  )
  printf '%q\n' "${settings[@]}" | own_file "$data/service.env"
}

# Settings of one of several processes on one database, which reach each other as peers.
replica() { # name, distance of its ports, peer port, roles
  local name=$1 shift=$2 peer=$3 roles='' number=0; shift 3
  for each in "$@"; do roles+="Roles__$((number++))=$each"$'\n'; done
  [ -e "$data/cluster-key" ] || random 32 | own_file "$data/cluster-key"
  { cat "$data/service.env"; cat <<ENV
${roles}Edge__Listeners__Customer=127.0.0.1:$((port_customer + shift))
Edge__Listeners__Operator=127.0.0.1:$((port_operator + shift))
Edge__Listeners__Registration=127.0.0.1:$((port_registration + shift))
Edge__Listeners__Peer=127.0.0.1:$peer
Connectors__Listener=127.0.0.1:$((port_connector + shift))
Connectors__Replica=$name
Peer__Url=https://127.0.0.1:$peer
Peer__ClusterKeyFile=$data/cluster-key
Execution__WorkDirectory=$work/$name
ENV
  } | own_file "$data/$name.env"
}

start_replica() { # name, such as api or worker2
  start "$1" "" "$data/$1.env" "$dotnet_root/dotnet" "$app/NetAutomation/NetAutomation.dll"
}

service() { # verb; in the foreground
  quietly service as_user env -i PATH="$PATH" LANG=C.UTF-8 HOME="$data/home" DOTNET_ROOT="$dotnet_root" \
    NETAUTOMATION_RUN="${NETAUTOMATION_RUN:-}" \
    bash -c 'set -a; . "$1"; set +a; shift; exec "$@"' service "$data/service.env" "$dotnet_root/dotnet" "$app/NetAutomation/NetAutomation.dll" "$@"
}

# A buyer's browser: cookies are kept, redirects followed.
browse() { # tenant, path, curl arguments
  local tenant=$1 path=$2; shift 2
  curl -sS -L --fail-with-body --max-time 60 -c "$state/tenant$tenant/cookies" -b "$state/tenant$tenant/cookies" "$@" "http://127.0.0.1:$port_registration$path"
}

create_endpoint() { # account, address or ""; the customer's step in their own VPC
  simulate POST /control/endpoints "$(jq -n --arg account "$1" --arg service "$service_id" --arg address "$2" \
    '{account: $account, service: $service, listenAddress: (if $address == "" then null else $address end)}')" 2>/dev/null
}
endpoint_state() { [ "$(simulate GET "/control/endpoints/$1" | jq -r .state)" = "$2" ]; }

onboard() { # tenant
  local tenant=$1 folder=$state/tenant$1 account subscription endpoint=''
  mkdir -p -m 700 "$folder"
  account=$(random_account)
  # The subscription in AWS Marketplace, and the click on "Set up your account".
  subscription=$(simulate POST /control/subscriptions "{\"account\": \"$account\"}")
  jq -j .registrationToken <<<"$subscription" | browse "$tenant" /marketplace/registration --data-urlencode x-amzn-marketplace-token@- >"$folder/registration.html"
  simulate POST "/control/subscriptions/$(jq -r .id <<<"$subscription"):activate" '{}' >/dev/null
  # Until the service allows this account, EC2 answers that there is no such endpoint service.
  find_service() { endpoint=$(create_endpoint "$account" "$(front_of "$tenant")"); }
  await "the permission to create an endpoint" find_service
  endpoint=$(jq -r .vpceId <<<"$endpoint")
  await "the endpoint of tenant $tenant to be accepted" endpoint_state "$endpoint" available
  first_key "$tenant"
  jq -n --arg account "$account" --arg endpoint "$endpoint" --arg front "$(front_of "$tenant")" --arg vpc "$(vpc_of "$tenant")" \
    '{account: $account, endpoint: $endpoint, front: $front, vpc: $vpc}' > "$folder/tenant.json"
}

# The page has its button as soon as the service has seen the endpoint available.
first_key() { # tenant
  local folder=$state/tenant$1 key
  ask_for_key() { (umask 077; browse "$1" /marketplace/registration/key --data '' >"$state/tenant$1/key.html" 2>/dev/null); }
  await "the first key of tenant $1" ask_for_key "$1"
  key=$(grep -o 'nak_[A-Za-z0-9_-]*' "$folder/key.html" | head -n 1) || die "the registration page showed no key"
  rm "$folder/key.html"
  printf '%s\n' "$key" | secret_file "$folder/key"
  curl_settings 8443 "$(front_of "$1")" "$key" | secret_file "$folder/curlrc"
}
