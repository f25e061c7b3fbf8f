/* SPDX-License-Identifier: Apache-2.0 */
/* report_escape - texts of strangers for terminals, XML and HTML. */
#include <stdint.h>
#include <string.h>

#include "report_impl.h"

#define ESCAPE 12

/* One code point of well-formed UTF-8. */
static uint32_t next(const unsigned char **s)
{
	const unsigned char *p = *s;
	unsigned more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	uint32_t u = more == 0 ? p[0] : p[0] & (0x3fu >> more);

	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) { /* never in a row; no reading past the end */
			*s = p + i;
			return 0xfffd;
		}
		u = u << 6 | (p[i] & 0x3fu);
	}
	*s = p + more + 1;
	return u;
}

struct range {
	uint32_t from, to;
};

/* Controls, joiners and marks of direction, line separators, what is invisible, variation
 * selectors, tags, private use, and what is no character. */
static bool is_hidden(uint32_t u)
{
	static const struct range ranges[] = {
		{0x00,     0x1f    },
                { 0x7f,    0x9f    },
                { 0xad,    0xad    },
		{ 0x61c,   0x61c   },
                { 0x180b,  0x180f  },
                { 0x200b,  0x200f  },
		{ 0x2028,  0x202e  },
                { 0x2060,  0x206f  },
                { 0x3164,  0x3164  },
		{ 0xd800,  0xf8ff  },
                { 0xfe00,  0xfe0f  },
                { 0xfeff,  0xfeff  },
		{ 0xfff0,  0xfffb  },
                { 0xfffe,  0xffff  },
                { 0xe0000, 0x10ffff},
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (u >= ranges[i].from && u <= ranges[i].to)
			return true;
	return false;
}

/* How ${u} is written if it is not itself; the length, or 0. */
static int escaped(uint32_t u, char out[ESCAPE])
{
	if (!is_hidden(u))
		return 0;
	return snprintf(out, ESCAPE,
	                u < 0x80     ? "\\x%02x"
	                : u < 0x1000 ? "\\u%04x"
	                             : "\\u{%x}",
	                (unsigned)u);
}

unsigned report_plain(FILE *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s, *at;
	char text[ESCAPE];
	unsigned columns = 0;

	while (*p != '\0') {
		int n;

		at = p;
		n = escaped(next(&p), text);
		columns += n > 0 ? (unsigned)n : 1;
		if (out != NULL && n > 0)
			fputs(text, out);
		else if (out != NULL)
			fwrite(at, 1, (size_t)(p - at), out);
	}
	return columns;
}

unsigned report_columns(const char *s)
{
	return report_plain(NULL, s);
}

static const char *entity(uint32_t u)
{
	switch (u) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void report_markup(FILE *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s, *at;
	char text[ESCAPE];

	while (*p != '\0') {
		uint32_t u;

		at = p;
		u = next(&p);
		if (entity(u) != NULL)
			fputs(entity(u), out);
		else if (escaped(u, text) > 0)
			fputs(text, out);
		else
			fwrite(at, 1, (size_t)(p - at), out);
	}
}
