/* SPDX-License-Identifier: Apache-2.0 */
#include "wh.h"

#include <string.h>

#include "target.h"
#include "text.h"

static bool is_local(const char *host, size_t n)
{
	char name[256];

	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	return strcmp(name, "[::1]") == 0 || target_is_local(name);
}

int wh_check_url(const char *url, bool insecure, struct answer *a)
{
	bool https = strncmp(url, "https://", 8) == 0;
	const char *host = url + (https ? 8 : 7);
	size_t authority, n;

	if ((!https && strncmp(url, "http://", 7) != 0) || strlen(url) > WH_URL_MAX ||
	    !text_printable(url, strlen(url)) || strchr(url, ' ') != NULL)
		return answer_fail(a, CLASS_PERMANENT, "config.url is no https:// URL");
	authority = strcspn(host, "/?#");
	n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	if (n == 0 || n > authority || memchr(host, '@', authority) != NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.url has no host, or a user before it");
	if (!https && !insecure && !is_local(host, n))
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.url: https is needed unless the host is this "
		                   "machine, or insecure is set");
	return 0;
}
