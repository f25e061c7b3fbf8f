/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BUILD_WORDS_H
#define SCANNER_BUILD_WORDS_H
/*
 * build_words - the words of a Dockerfile's instructions, and the variables in them.
 *
 * As the reference of the Dockerfile has them: quotes are taken off, and the forms $NAME,
 * ${NAME}, ${NAME:-word} and ${NAME:+word} are known.  Stages are not told apart: a
 * variable has what ARG or ENV gave it last.  What these do not say is not known: builds
 * may be given other values, and base images have some of their own.
 */
#include <stdbool.h>
#include <stddef.h>

#define BUILD_VARIABLES 64u
#define BUILD_WORD_MAX  4096u /* bytes of a word, with its NUL */

/* Of one Dockerfile. */
struct build_variables {
	unsigned n;
	struct {
		char *name, *value; /* both in ${name} */
	} of[BUILD_VARIABLES];
};

/** build_word(at, out): the next word of an instruction into ${out}, without its quotes;
 * *at moves behind it.  False: there is none, or it does not fit and *at is behind it. */
bool build_word(const char **at, char out[BUILD_WORD_MAX]);
/** build_expand(v, word, out): with the values of variables in it, and a star for one
 * that is not known.  False: it does not fit. */
bool build_expand(const struct build_variables *v, const char *word,
                  char out[BUILD_WORD_MAX]);
/** build_variables_set(v, args, env): what the arguments of an ARG or an ${env} give:
 * NAME=value of both, of ENV also one name and what follows it.  Too many variables are
 * not known. */
void build_variables_set(struct build_variables *v, const char *args, bool env);
/** build_variables_free(v). */
void build_variables_free(struct build_variables *v);

#endif
