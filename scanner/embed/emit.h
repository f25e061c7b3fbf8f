/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_EMBED_EMIT_H
#define SCANNER_EMBED_EMIT_H
/* emit - rules and bytes as C, which embedded.h compiles. */
#include <stdint.h>
#include <stdio.h>

struct rule_set;

/** emit_bytes(out, p, n): as literals of C, one a line. */
void emit_bytes(FILE *out, const char *p, size_t n);
/** emit_numbers(out, v, n): with a comma behind each. */
void emit_numbers(FILE *out, const uint16_t *v, size_t n);
/** emit_rules(out, rules): the table that rules/builtin.h declares.  They do
 * compile: scan_engine_new() has seen to that. */
void emit_rules(FILE *out, const struct rule_set *rules);

#endif
