#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails when clang-format would change a source file, or a source file lacks its licence line.
set -eu
cd "$(dirname "$0")/.."
files=$(git ls-files -co --exclude-standard '*.cc' '*.h' '*.inc')
# shellcheck disable=SC2086
clang-format-14 --dry-run --Werror $(printf '%s\n' $files | grep -v '\.inc$')
missing=$(git ls-files -co --exclude-standard '*.cc' '*.h' '*.py' '*.sh' '*CMakeLists.txt' | xargs grep -L 'SPDX-License-Identifier: Apache-2.0' || true)
if [ -n "$missing" ]; then
    printf 'no SPDX-License-Identifier in:\n%s\n' "$missing" >&2
    exit 1
fi
