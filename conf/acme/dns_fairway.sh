#!/usr/bin/env sh
# SPDX-License-Identifier: Apache-2.0
# Plug-in for acme.sh: put it into ~/.acme.sh/dnsapi/ and run
#
#   acme.sh --issue --dns dns_fairway -d vpn.gslb.example.com
#
# acme.sh calls these two functions with the full name (_acme-challenge.vpn.gslb.example.com) and the value.

dns_fairway_add() {
    fairway --quiet zone challenge set "$1" "$2" --for 1h
}

dns_fairway_rm() {
    fairway --quiet zone challenge clear "$1" "$2"
}
