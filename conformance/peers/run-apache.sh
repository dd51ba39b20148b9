#!/usr/bin/env bash
# Runs Apache ZooKeeper in the foreground; the process id is Java's, so that a test can kill or freeze it.
#
#   run-apache.sh RELEASE standalone PORT DIR [JVM OPTION...]   a server on 127.0.0.1:PORT with its data in DIR
#   run-apache.sh RELEASE config FILE [JVM OPTION...]           a server from a zoo.cfg, standalone or in an ensemble
#   run-apache.sh RELEASE cli ARG...                            zkCli: -server HOST:PORT [COMMAND...]
#   run-apache.sh RELEASE java CLASS ARG...                     any other class of the release
#   run-apache.sh RELEASE classpath                             prints the class path
#
# RELEASE is 3.8.0 (Debian's), 3.9.5 or 3.9.3; setup.sh installs them.
# $APACHE_LOG takes a server's output (default: nowhere); $APACHE_JVM replaces the JVM's options.
set -euo pipefail

peers=${VIVARIUM_PEERS:-$HOME/.cache/vivarium-peers}
release=$1 what=$2
shift 2

case $release in
  3.8.0) classpath=/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar ;;
  *)
    [ -d "$peers/apache-$release" ] || { echo "run-apache.sh: no $release; run conformance/peers/setup.sh $release" >&2; exit 2; }
    classpath=$peers/apache-$release/* ;;
esac

read -ra jvm <<<"${APACHE_JVM:--Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}"
jvm+=(-Dzookeeper.admin.enableServer=false "-Dzookeeper.4lw.commands.whitelist=*" -Dzookeeper.jmx.log4j.disable=true)

java_with() { # log level
  local level=$1
  shift
  exec java -cp "$classpath" "${jvm[@]}" "-Dorg.slf4j.simpleLogger.defaultLogLevel=$level" "-Dlog4j2.level=$level" "$@"
}

serve() {
  exec >>"${APACHE_LOG:-/dev/null}" 2>&1 </dev/null
  local file=$1
  shift
  java_with info "$@" org.apache.zookeeper.server.quorum.QuorumPeerMain "$file"
}

case $what in
  standalone)
    port=$1 dir=$2
    shift 2
    mkdir -p "$dir"
    printf '%s\n' tickTime=2000 "dataDir=$dir" clientPortAddress=127.0.0.1 "clientPort=$port" maxClientCnxns=0 >"$dir/zoo.cfg"
    serve "$dir/zoo.cfg" "$@" ;;
  config) serve "$@" ;;
  cli) java_with error org.apache.zookeeper.ZooKeeperMain "$@" ;;
  java) java_with error "$@" ;;
  classpath) echo "$classpath" ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
