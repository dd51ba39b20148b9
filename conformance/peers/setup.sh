#!/usr/bin/env bash
# Installs the programs that tests compare with or talk to. Run it again at will: it does only what is missing.
#
#   conformance/peers/setup.sh [PART...]      parts: apt kazoo 3.9.5 3.9.3; default: apt kazoo 3.9.5
#
# apt     Debian's Apache ZooKeeper 3.8.0 (server, zkCli, Java client), the C client, a compiler and make, Java, Python's venv
# kazoo   the Python client in a virtual environment of its own
# 3.9.x   Apache ZooKeeper's jars of that release, out of the pyspark source package that ships them
#
# Everything but Debian's packages goes to $VIVARIUM_PEERS (default ~/.cache/vivarium-peers), outside of the tree.
# A folder with source packages fetched before may be named by $VIVARIUM_SDISTS.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=${VIVARIUM_PEERS:-$HOME/.cache/vivarium-peers}
kazoo=kazoo==2.10.0
packages=(zookeeper libzookeeper-java libzookeeper-mt-dev zookeeper-bin libslf4j-java gcc make libc6-dev python3-venv)

say() { printf 'peers: %s\n' "$*" >&2; }

installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

setup_apt() {
  # javac: a test runs a Java client from its source.
  command -v javac >/dev/null || packages+=(default-jdk-headless)
  local missing=() package
  for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  # The package `zookeeperd` would start a service; `zookeeper` starts none. RUNLEVEL=1 keeps any other from starting.
  local options=(-y -q -o DPkg::Lock::Timeout=600 --no-install-recommends)
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 update >&2
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get "${options[@]}" install "${missing[@]}" >&2
}

ensure_venv() {
  [ -x "$peers/venv/bin/pip" ] || { rm -rf "$peers/venv"; /usr/bin/python3 -m venv "$peers/venv"; }
}

setup_kazoo() {
  ensure_venv
  "$peers/venv/bin/python" -c "import kazoo; assert 'kazoo==' + kazoo.__version__ == '$kazoo'" 2>/dev/null && return
  say "installing $kazoo"
  "$peers/venv/bin/pip" install -q --disable-pip-version-check "$kazoo" >&2
}

# The jars that QuorumPeerMain and ZooKeeperMain need; TLS needs netty.
wanted_jars=(zookeeper zookeeper-jute slf4j-api log4j-api log4j-core log4j-slf4j2-impl metrics-core snappy-java
  commons-cli commons-io audience-annotations netty-common netty-handler netty-transport netty-buffer netty-codec
  netty-codec-base netty-resolver netty-transport-classes-epoll netty-transport-native-unix-common)

setup_jars() { # Apache release, pyspark release
  local release=$1 pyspark=$2 target=$peers/apache-$1
  [ -f "$target/.works" ] && return
  local sdist=${VIVARIUM_SDISTS:-/nonexistent}/pyspark-$pyspark.tar.gz work=$peers/work-$release
  rm -rf "$work" "$target"
  mkdir -p "$work/jars"
  if [ ! -f "$sdist" ]; then
    say "fetching pyspark $pyspark (some 450 MB, once)"
    ensure_venv
    "$peers/venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary pyspark -d "$work" "pyspark==$pyspark" >&2
    sdist=$work/pyspark-$pyspark.tar.gz
  fi
  local patterns=("*/deps/jars/jline-2.*.jar") jar
  for jar in "${wanted_jars[@]}"; do patterns+=("*/deps/jars/$jar-[0-9]*.jar"); done
  # Not every pattern has a jar in every release; the trial below decides whether enough are there.
  tar -xzf "$sdist" -C "$work/jars" --strip-components=3 --wildcards "${patterns[@]}" 2>/dev/null || true
  [ -f "$work/jars/zookeeper-$release.jar" ] || { say "pyspark $pyspark holds no ZooKeeper $release"; exit 1; }
  mv "$work/jars" "$target"
  rm -rf "$work"
  try_server "$release"
  touch "$target/.works"
}

# Starts a server, asks `ruok` and `srvr`, stops it.
try_server() {
  local release=$1 dir port answer=
  dir=$(mktemp -d)
  port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  APACHE_LOG=$dir/log "$here/run-apache.sh" "$release" standalone "$port" "$dir" &
  local pid=$!
  for _ in $(seq 300); do
    answer=$(four_letters "$port" srvr) || true
    [[ $answer == *"version: $release"* ]] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  if [[ $answer != *"version: $release"* ]]; then
    say "Apache ZooKeeper $release does not start:"
    tail -n 20 "$dir/log" >&2
    exit 1
  fi
  rm -rf "$dir"
  say "Apache ZooKeeper $release works"
}

four_letters() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf '%s' "$2" >&3 && timeout 5 cat <&3) 2>/dev/null
}

main() {
  local parts=("$@") part
  [ ${#parts[@]} -gt 0 ] || parts=(apt kazoo 3.9.5)
  mkdir -p "$peers"
  exec 9>"$peers/.lock"
  flock 9
  for part in "${parts[@]}"; do
    case $part in
      apt)
        setup_apt
        [ -f "$peers/.works-3.8.0" ] || { try_server 3.8.0 && touch "$peers/.works-3.8.0"; } ;;
      kazoo) setup_kazoo ;;
      3.9.5) setup_jars 3.9.5 4.3.0 ;;
      3.9.3) setup_jars 3.9.3 4.0.1 ;;
      *) say "unknown part $part"; exit 2 ;;
    esac
  done
}

main "$@"
