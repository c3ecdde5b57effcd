#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds Fairway and runs it on loopback: seven gateways of our own in three regions, probed and answered for. Prints
# what to try. Ctrl-C ends everything that it started. Can be run again.
#
#   packaging/demo.sh            build, run, wait for Ctrl-C
#   packaging/demo.sh --once     build, run, try each region once, stop
set -eu
cd "$(dirname "$0")/.."
once=
[ "${1:-}" = --once ] && once=yes

step() { printf '\n==> %s\n' "$*"; }

step "Installing what is missing (Debian packages)"
packaging/install-packages.sh build demo

step "Building (release; the first time takes a few minutes)"
cmake --preset release >/dev/null
cmake --build --preset release --target fairwayd fairway fairway-gateway

bin=$PWD/build/release/bin
run=$PWD/build/demo
mkdir -p "$run/state"
gateways=
daemon=
finish() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$gateways" ] || kill "$gateways" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap finish EXIT
trap 'exit 130' INT TERM

step "Starting seven gateways (log: build/demo/gateways.log)"
rm -f "$run/ca.pem"
export FAIRWAY_GATEWAY_CONTROL="$run/gateway.sock" FAIRWAY_SERVER="$run/control.sock"
"$bin/fairway-gateway" run --config conf/demo-gateways.toml --ca "$run/ca.pem" >"$run/gateways.log" 2>&1 &
gateways=$!
# Each wait ends early when the program that it waits for has ended.
for _ in $(seq 100); do
    "$bin/fairway-gateway" status >/dev/null 2>&1 && break
    kill -0 $gateways 2>/dev/null || { cat "$run/gateways.log" >&2; exit 1; }
    sleep 0.1
done

step "Starting fairwayd (log: build/demo/fairwayd.log)"
"$bin/fairwayd" --config conf/demo.toml >"$run/fairwayd.log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
    "$bin/fairway" status --quiet >/dev/null 2>&1 && [ -n "$(dig +short +time=1 +tries=1 -p 5300 @127.0.0.1 vpn.gslb.example.com 2>/dev/null)" ] && break
    kill -0 $daemon 2>/dev/null || { cat "$run/fairwayd.log" >&2; exit 1; }
    sleep 0.1
done

ask() { echo "dig +short -p 5300 @127.0.0.1 vpn.gslb.example.com +subnet=$1"; }
"$bin/fairway" status
step "Fairway is answering. A client in"
for place in "Germany|192.0.2.0/24" "the United States|198.51.100.0/24" "Indonesia|203.0.113.0/24"; do
    subnet=${place#*|}
    printf '  %-20s %s\n' "${place%|*}" "$(ask "$subnet")"
    $(ask "$subnet") | sed 's/^/                         -> /'
done
cat <<TEXT

In another terminal:
  export FAIRWAY_SERVER=$run/control.sock FAIRWAY_GATEWAY_CONTROL=$run/gateway.sock PATH=$bin:\$PATH
  fairway status                                          everything at a glance
  fairway-gateway fault fra1 silent                       break a gateway ...
  fairway events                                          ... see it noticed
  $(ask 192.0.2.0/24)
  fairway explain vpn.gslb.example.com --client 192.0.2.1  ... and why the answer moved
  fairway-gateway fault fra1 none                         bring it back
  fairway drain iad1 --reason "kernel update" --for 30m   take one out by hand

The HTTP API is at http://127.0.0.1:8053/api/v1/status
TEXT
[ -z "$once" ] || exit 0
echo "Ctrl-C ends the demo."
wait $daemon
