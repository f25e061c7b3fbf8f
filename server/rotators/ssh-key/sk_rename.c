/* SPDX-License-Identifier: Apache-2.0 */
#include <libssh/sftp.h>
#include <string.h>

#include "sk.h"

#define REQUEST_MAX_LEN 8192u
#define REPLY_MAX_LEN   4096u
#define HEAD            13u         /* length, type, id, status */
#define ID              0x7661756cu /* libssh counts its own from 0 */

static bool put_text(struct buf *b, const char *s)
{
	return sk_put(b, s, strlen(s));
}

static bool put_request(struct buf *b, const char *from, const char *to)
{
	static const unsigned char type = SSH_FXP_EXTENDED;
	AUTO_BUF body = { .max = REQUEST_MAX_LEN };

	return buf_add(&body, &type, 1) && sk_put_u32(&body, ID) &&
	       put_text(&body, "posix-rename@openssh.com") && put_text(&body, from) &&
	       put_text(&body, to) && sk_put(b, body.p + body.start, body.len);
}

static bool read_all(ssh_channel ch, unsigned char *p, size_t n)
{
	while (n > 0) {
		int got = ssh_channel_read(ch, p, (uint32_t)n, 0);

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int sk_rename(ssh_channel ch, const char *from, const char *to)
{
	AUTO_BUF b = { .max = REQUEST_MAX_LEN + 4 };
	unsigned char reply[REPLY_MAX_LEN];
	uint32_t n;

	if (!put_request(&b, from, to) ||
	    ssh_channel_write(ch, b.p + b.start, (uint32_t)b.len) != (int)b.len ||
	    !read_all(ch, reply, 4))
		return -1;
	n = get_u32(reply);
	if (n < HEAD - 4 || n > sizeof(reply) - 4 || !read_all(ch, reply + 4, n))
		return -1;
	if (reply[4] != SSH_FXP_STATUS || get_u32(reply + 5) != ID)
		return -1;
	return (int)get_u32(reply + 9);
}
