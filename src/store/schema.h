// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables, as steps that never change once released: a new version of the program appends one.

#include "store/database.h"

namespace fairway::store {

/// Brings the file to the newest schema, each step in a transaction of its own; the outcome is
/// `database.error()`. A file from a newer program is an error, not damage.
void migrate(Database& database);

}  // namespace fairway::store
