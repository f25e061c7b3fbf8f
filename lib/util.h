/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UTIL_H
#define UTIL_H
/* util - the few macros that every file may use; no functions live here but the two
 * cleanup helpers that AUTO_FREE and AUTO_CLOSE need. */
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED            __attribute__((unused))

/* AUTO_FREE char *p = NULL; — free()d when p goes out of scope. */
#define AUTO_FREE __attribute__((cleanup(util_auto_free)))
/* AUTO_CLOSE int fd = -1; — close()d when fd goes out of scope and is not negative. */
#define AUTO_CLOSE __attribute__((cleanup(util_auto_close)))

static inline void util_auto_free(void *pp)
{
	free(*(void **)pp);
}

static inline void util_auto_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
