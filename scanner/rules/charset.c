/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/rule.h"

static bool alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool charset_has(enum charset s, unsigned char c)
{
	switch (s) {
	case CHARSET_NONE:
		return false;
	case CHARSET_ALNUM:
		return alnum(c);
	case CHARSET_HEX:
		return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		       (c >= 'A' && c <= 'F');
	case CHARSET_BASE58:
		return alnum(c) && c != '0' && c != 'O' && c != 'I' && c != 'l';
	case CHARSET_BASE64:
		return alnum(c) || c == '+' || c == '/';
	case CHARSET_BASE64URL:
		return alnum(c) || c == '-' || c == '_';
	case CHARSET_BASE64ANY:
		return alnum(c) || c == '+' || c == '/' || c == '-' || c == '_';
	case CHARSET_TOKEN:
		return alnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
	}
	return false;
}
