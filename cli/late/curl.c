/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl - libcurl's functions under their own names, out of a library that is loaded when
 * the first of them is called.
 *
 * It brings some 25 others along, and they are most of what a start takes; a scan of
 * files calls none of it.  curl_global_init_mem() is what everybody calls first
 * (lib/http.c), and fails if there is no library.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* The typechecking macros of curl.h have the names of these. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define FUNCTIONS(X)                \
	X(curl_global_init_mem)     \
	X(curl_easy_init)           \
	X(curl_easy_cleanup)        \
	X(curl_easy_perform)        \
	X(curl_easy_setopt)         \
	X(curl_easy_getinfo)        \
	X(curl_easy_strerror)       \
	X(curl_free)                \
	X(curl_multi_remove_handle) \
	X(curl_slist_append)        \
	X(curl_slist_free_all)      \
	X(curl_url)                 \
	X(curl_url_cleanup)         \
	X(curl_url_get)             \
	X(curl_url_set)

#define MEMBER(name) __typeof__(name) *name;
static struct {
	FUNCTIONS(MEMBER)
} lib;

/* POSIX lets a function's address pass through dlsym()'s pointer to data. */
#define FIND(name) &&(*(void **)&lib.name = dlsym(so, #name)) != NULL

static bool load(void)
{
	void *so = dlopen(VAULT_LIBCURL, RTLD_NOW | RTLD_LOCAL);

	return so != NULL FUNCTIONS(FIND);
}

CURLcode curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
                              curl_realloc_callback r, curl_strdup_callback s,
                              curl_calloc_callback c)
{
	return load() ? lib.curl_global_init_mem(flags, m, f, r, s, c)
	              : CURLE_FAILED_INIT;
}

CURL *curl_easy_init(void)
{
	return lib.curl_easy_init();
}

void curl_easy_cleanup(CURL *h)
{
	lib.curl_easy_cleanup(h);
}

CURLcode curl_easy_perform(CURL *h)
{
	return lib.curl_easy_perform(h);
}

/* The number of an option tells the type of its value. */
CURLcode curl_easy_setopt(CURL *h, CURLoption option, ...)
{
	va_list ap;
	CURLcode r;

	va_start(ap, option);
	if (option < CURLOPTTYPE_OBJECTPOINT)
		r = lib.curl_easy_setopt(h, option, va_arg(ap, long));
	else if (option < CURLOPTTYPE_FUNCTIONPOINT || option >= CURLOPTTYPE_BLOB)
		r = lib.curl_easy_setopt(h, option, va_arg(ap, void *));
	else if (option < CURLOPTTYPE_OFF_T)
		r = lib.curl_easy_setopt(h, option, va_arg(ap, void (*)(void)));
	else
		r = lib.curl_easy_setopt(h, option, va_arg(ap, curl_off_t));
	va_end(ap);
	return r;
}

CURLcode curl_easy_getinfo(CURL *h, CURLINFO info, ...)
{
	va_list ap;
	CURLcode r;

	va_start(ap, info);
	r = lib.curl_easy_getinfo(h, info, va_arg(ap, void *));
	va_end(ap);
	return r;
}

const char *curl_easy_strerror(CURLcode code)
{
	return lib.curl_easy_strerror(code);
}

void curl_free(void *p)
{
	lib.curl_free(p);
}

CURLMcode curl_multi_remove_handle(CURLM *m, CURL *h)
{
	return lib.curl_multi_remove_handle(m, h);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
	return lib.curl_slist_append(list, text);
}

void curl_slist_free_all(struct curl_slist *list)
{
	lib.curl_slist_free_all(list);
}

CURLU *curl_url(void)
{
	return lib.curl_url();
}

void curl_url_cleanup(CURLU *u)
{
	lib.curl_url_cleanup(u);
}

CURLUcode curl_url_get(CURLU *u, CURLUPart what, char **part, unsigned int flags)
{
	return lib.curl_url_get(u, what, part, flags);
}

CURLUcode curl_url_set(CURLU *u, CURLUPart what, const char *part, unsigned int flags)
{
	return lib.curl_url_set(u, what, part, flags);
}
