/* SPDX-License-Identifier: Apache-2.0 */
#include "contact.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"

/* "boot id ms\n"; -1 if there is nothing that counts. */
static int64_t load(const struct contact *c)
{
	char text[128];
	char *end;
	AUTO_CLOSE int fd = openat(c->dirfd, CONTACT_FILE,
	                           O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t n = fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid()
	                    ? -1
	                    : read(fd, text, sizeof(text) - 1);
	size_t boot = strlen(c->boot_id);
	int64_t at;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	if (strncmp(text, c->boot_id, boot) != 0 || text[boot] != ' ')
		return -1;
	at = strtoll(text + boot + 1, &end, 10);
	return *end == '\n' ? at : -1;
}

static void save(struct contact *c)
{
	char text[128];
	struct err e;

	snprintf(text, sizeof(text), "%.60s %lld\n", c->boot_id, (long long)c->at);
	if (file_write_atomic(c->dirfd, CONTACT_FILE, text, strlen(text), 0600, &e) !=
	    ERR_OK)
		log_error("when the vault was heard could not be noted",
		          LOG_S("why", e.msg));
	c->saved = c->at;
}

void contact_open(struct contact *c, int dirfd, const char *boot_id, int64_t now)
{
	int64_t at;

	*c = (struct contact){ .dirfd = dirfd, .boot_id = boot_id, .at = now };
	if (dirfd < 0)
		return;
	at = load(c);
	if (at >= 0 && at <= now)
		c->at = c->saved = at;
	else
		save(c);
}

void contact_heard(struct contact *c, int64_t now)
{
	c->at = now;
	if (c->dirfd >= 0 && now - c->saved >= CONTACT_SAVE_MS)
		save(c);
}
