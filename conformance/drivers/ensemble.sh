#!/usr/bin/env bash
# Servers on loopback for the cluster cases; the commands that driver files call.
#
#   ensemble.sh KIND setup|teardown
#   ensemble.sh KIND start|stop|kill|pause|resume|isolate|heal ID
#   ensemble.sh KIND configure [KEY=VALUE..]       # restarts all servers with these lines behind their zoo.cfg
#
# KIND is apache-3.8.0, apache-3.9.5 (see conformance/peers), vivarium or mutant (see conformance/mutants.toml): three
# servers. mutant-0 to mutant-7 are mutants that run beside each other. With `-observer` behind it a fourth observes. Servers reach each other through links that `zk-conformance
# links` forwards, so that one can be cut off from the others while its clients stay.
set -euo pipefail

kind=$1 verb=$2 id=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
dir=${TMPDIR:-/tmp}/zk-conformance-$kind
ids=(1 2 3)
case $kind in
  apache-3.8.0) base=25200 ;;
  apache-3.9.5) base=25300 ;;
  vivarium) base=25400 ;;
  apache-3.9.5-observer) base=25600 ids+=(4) ;;
  vivarium-observer) base=25700 ids+=(4) ;;
  mutant) base=24900 ;;
  mutant-[0-7]) base=$((24100 + 100 * ${kind#mutant-})) ;;
  *) echo "ensemble.sh: no kind $kind" >&2; exit 2 ;;
esac

# Ports: base + 1..4 clients, + 11..14 quorum, + 21..24 election; links from i to j: + 30 + 4i + j and + 50 + 4i + j.
config() {
  cat <<CFG
tickTime=200
initLimit=50
syncLimit=25
dataDir=$dir/$1
clientPortAddress=127.0.0.1
clientPort=$((base + $1))
maxSessionTimeout=60000
maxClientCnxns=0
4lw.commands.whitelist=*
extendedTypesEnabled=true
enforceQuota=true
DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=
admin.enableServer=false
preAllocSize=1024
znode.container.checkIntervalMs=200
CFG
  # Of a key that stands twice the last counts.
  [ ! -f "$dir/settings" ] || cat "$dir/settings"
  local other role
  [ "$1" != 4 ] || echo peerType=observer
  for other in "${ids[@]}"; do
    role=participant
    [ "$other" != 4 ] || role=observer
    if [ "$other" = "$1" ]; then
      echo "server.$other=127.0.0.1:$((base + 10 + other)):$((base + 20 + other)):$role"
    else
      echo "server.$other=127.0.0.1:$((base + 30 + 4 * $1 + other)):$((base + 50 + 4 * $1 + other)):$role"
    fi
  done
}

links() {
  local from to
  for from in "${ids[@]}"; do
    for to in "${ids[@]}"; do
      [ "$from" = "$to" ] && continue
      echo "$from $to $((base + 30 + 4 * from + to)) $((base + 10 + to))"
      echo "$from $to $((base + 50 + 4 * from + to)) $((base + 20 + to))"
    done
  done
}

running() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

gone() { # waits until the process has ended
  local pid=$1
  for _ in $(seq 500); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.02
  done
  echo "ensemble.sh: process $pid does not end" >&2
  return 1
}

launch() { # pid file, command...
  local file=$1
  shift
  setsid "$@" </dev/null >>"$file.log" 2>&1 &
  echo $! >"$file"
}

serve() {
  case $kind in
    apache-*)
      local release=${kind#apache-} properties=()
      # Some keys Apache reads as system properties only; the others do no harm there.
      [ ! -f "$dir/settings" ] || mapfile -t properties < <(sed 's/^/-D/' "$dir/settings")
      APACHE_LOG=$dir/$id.log launch "$dir/$id.pid" "$here/../peers/run-apache.sh" "${release%-observer}" config \
        "$dir/$id.cfg" -Dznode.container.checkIntervalMs=200 "${properties[@]}" ;;
    vivarium*) launch "$dir/$id.pid" "${VIVARIUM:-$here/../../target/debug/vivarium}" server "$dir/$id.cfg" ;;
    mutant*) launch "$dir/$id.pid" "${VIVARIUM:-$here/../../target/debug/vivarium-mutant}" server "$dir/$id.cfg" ;;
  esac
}

end() { # signal
  running "$dir/$id.pid" || return 0
  local pid
  pid=$(cat "$dir/$id.pid")
  kill -CONT "$pid"
  kill "-$1" "$pid"
  gone "$pid"
}

case $verb in
  setup)
    "$0" "$kind" teardown
    mkdir -p "$dir/links"
    for id in "${ids[@]}"; do
      mkdir -p "$dir/$id"
      echo "$id" >"$dir/$id/myid"
      config "$id" >"$dir/$id.cfg"
    done
    links >"$dir/links.txt"
    launch "$dir/links.pid" "$ZK_CONFORMANCE" links "$dir/links.txt" --cut "$dir/links"
    for id in "${ids[@]}"; do "$0" "$kind" start "$id"; done ;;
  teardown)
    for id in "${ids[@]}"; do end KILL; done
    if running "$dir/links.pid"; then
      pid=$(cat "$dir/links.pid")
      kill "$pid"
      gone "$pid"
    fi
    rm -rf "$dir" ;;
  configure)
    for id in "${ids[@]}"; do end TERM; done
    shift 2
    rm -f "$dir/settings"
    [ $# = 0 ] || printf '%s\n' "$@" >"$dir/settings"
    for id in "${ids[@]}"; do
      config "$id" >"$dir/$id.cfg"
      "$0" "$kind" start "$id"
    done ;;
  start) running "$dir/$id.pid" || serve ;;
  stop) end TERM ;;
  kill) end KILL ;;
  pause) kill -STOP "$(cat "$dir/$id.pid")" ;;
  resume) if running "$dir/$id.pid"; then kill -CONT "$(cat "$dir/$id.pid")"; fi ;;
  isolate) touch "$dir/links/$id" ;;
  heal) rm -f "$dir/links/$id" ;;
  *) echo "ensemble.sh: no command $verb" >&2; exit 2 ;;
esac
