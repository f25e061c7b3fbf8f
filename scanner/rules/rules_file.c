/* SPDX-License-Identifier: Apache-2.0 */
/* rules_file - rules of users: their files, and what their expressions may be. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "rules/rules.h"
#include "scanner/whole_file.h"

#define ESCAPES "nrtfvsSdDwWbBAzZ" /* but for those of signs */

/* Behind "(?": a group that is not counted, or flags. */
static bool group_ok(const char *p)
{
	p += strspn(p, "imsUJ-");
	return *p == ':' || *p == ')';
}

/* PCRE2 knows more than the search for anchors understands, and some of it costs too much
 * on what is hostile: NULL, or what of ${regex} is more. */
static const char *refused(const char *regex)
{
	bool set = false;

	for (const char *p = regex; *p != '\0'; p++) {
		if (*p == '\\') {
			if (*++p == '\0' ||
			    (!ispunct((unsigned char)*p) && strchr(ESCAPES, *p) == NULL))
				return "of escapes only \\n \\r \\t \\f \\v \\s \\S \\d \\D "
				       "\\w \\W \\b \\B \\A \\z \\Z and signs";
		} else if (set && *p == '[' && p[1] == ':' && strchr(p, ']') != NULL) {
			p = strchr(p, ']');
		} else if (set) {
			set = *p != ']';
		} else if (*p == '[') {
			set = true;
			p += p[1] == '^';
			p += p[1] == ']';
		} else if (*p == '(' && p[1] == '*') {
			return "no verbs";
		} else if (*p == '(' && p[1] == '?' && !group_ok(p + 2)) {
			return "of groups only (…), (?:…) and the flags i, m, s, U, J";
		}
	}
	return NULL;
}

int rule_check(struct rule *u, char why[RULE_WHY])
{
	unsigned char message[120];
	uint32_t groups = 0;
	PCRE2_SIZE at = 0;
	int code = 0;
	const char *no;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)u->regex, PCRE2_ZERO_TERMINATED, 0,
	                               &code, &at, NULL);

	if (re == NULL) {
		pcre2_get_error_message(code, message, sizeof(message));
		snprintf(why, RULE_WHY, "%s at character %zu of it",
		         (const char *)message, at);
		return -1;
	}
	(void)pcre2_pattern_info(re, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_code_free(re);
	no = refused(u->regex);
	if (no == NULL && groups > RULE_GROUPS)
		no = "more than 31 groups";
	if (no != NULL) {
		snprintf(why, RULE_WHY, "%s", no);
		return -1;
	}
	u->checked = true;
	return 0;
}

int rules_add_file(struct rule_set *set, const char *path, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	int rc = whole_file(path, RULES_FILE_MAX, &text, &n, e);

	if (rc == ERR_OK)
		rc = rules_add(set, path, text, n, e);
	free(text);
	return rc;
}
