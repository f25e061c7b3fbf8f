/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_RECORD_FINDING_H
#define SCANNER_RECORD_FINDING_H
/* record_finding - a finding as a record, and back. */
#include "scanner/rules/rules.h"
#include "scanner/scan.h"
#include "wire.h"

#define RECORD_FINDING_BYTES 8192u

/** record_put_finding(r, f, bytes): borrows the texts of ${f}, and ${bytes}
 * (RECORD_FINDING_BYTES) for the rest. */
void record_put_finding(struct record *r, const struct finding *f, unsigned char *bytes);
/** record_move_line(r, by): its line is so many further down. */
void record_move_line(struct record *r, uint64_t by);
/** record_get_finding(r, rules, f, at): ${f} (without a blob) and ${at} borrow from ${r};
 * what is known of other layers is the caller's.  -1 if a worker made it up. */
int record_get_finding(const struct record *r, const struct rule_set *rules,
                       struct finding *f, struct scan_place *at) MUST_CHECK;

#endif
