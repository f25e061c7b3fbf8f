/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DB_LEASE_KIND_H
#define SERVER_CORE_DB_LEASE_KIND_H
/* db_lease_kind - accounts of databases as sys/leases sees them. */
#include "lease_kinds.h"

extern const struct lease_kind db_lease_kind;

#endif
