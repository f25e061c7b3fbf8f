/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_GENERATION_IMPL_H
#define AGENT_DELIVER_GENERATION_IMPL_H
/* generation_impl - what the two files of the module share; nobody else includes it. */
#include "generation.h"

#define GENERATION_DIR_MAX  24u
#define GENERATION_MAX      4000000000u
#define GENERATION_DATA     "..data"
#define GENERATION_DATA_TMP "..data_tmp"
#define GENERATION_LINK_TMP "..link_tmp"

/** generation_dirname(number, out): "..g000017". */
void generation_dirname(unsigned number, char out[GENERATION_DIR_MAX]);
/** generation_parse(name): the inverse; 0 for any other name. */
unsigned generation_parse(const char *name);
/** generation_drop_links(d): remove our links that lead to nothing. */
void generation_drop_links(const struct generation_dir *d);

#endif
