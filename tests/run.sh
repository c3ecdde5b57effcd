#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds Fairway and runs every test: units, fuzz corpora, scenarios against real peers, checks of the sources, and
# the units once more under AddressSanitizer and ThreadSanitizer. Can be run again; it stops at the first failure.
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n==> %s\n' "$*"; }

step "Installing what is missing (Debian packages)"
packaging/install-packages.sh build test

step "Building (release)"
cmake --preset release >/dev/null
cmake --build --preset release

step "Testing (release): units, fuzz corpora, source checks, scenarios with real peers"
ctest --preset release -j 2

step "Building with AddressSanitizer and UndefinedBehaviorSanitizer"
cmake --preset asan >/dev/null
cmake --build --preset asan

step "Testing under AddressSanitizer: units and fuzz corpora"
ctest --preset asan -L 'unit|fuzz'

step "Building and testing threads under ThreadSanitizer"
cmake --preset tsan >/dev/null
cmake --build --preset tsan --target tsan_tests
ctest --preset tsan -L threads

step "All tests passed"
