/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_IMPL_H
#define CONFIG_IMPL_H
/* config_impl - the values of single keys, for the reader in config.c. */
#include "config.h"

/** config_scalar(a, k, text, n, field, e): parse ${text} as ${k}'s type says (no list, no
 * object) into ${field}; the message says what is wrong and quotes the text. */
int config_scalar(struct arena *a, const struct config_key *k, const char *text, size_t n,
                  void *field, struct err *e) MUST_CHECK;

/** config_quote(text, n, out): a short form of ${text} for a message, quotes included. */
#define CONFIG_QUOTE_MAX 64u
void config_quote(const char *text, size_t n, char out[CONFIG_QUOTE_MAX]);

/** config_suggest(schema, name): the key that ${name} is nearly, or NULL. */
const char *config_suggest(const struct config_schema *schema, const char *name);

#endif
