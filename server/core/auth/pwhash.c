/* SPDX-License-Identifier: Apache-2.0 */
#include "pwhash.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "keymem.h"
#include "log.h"
#include "rng.h"
#include "wait.h"

#define SLOTS     4u
#define DROP_MS   60000 /* a result that nobody has taken */
#define OPS       3u
#define MEM_BYTES ((size_t)64 * 1024 * 1024)
/* What an imported one may cost to check: seconds, at the most. */
#define ARGON_KIB_MAX   (256u * 1024)
#define ARGON_OPS_MAX   10u
#define ARGON_LANES_MAX 16u
#define BCRYPT_MIN      4u
#define BCRYPT_MAX      15u /* the logarithm of its rounds */

/* A password that nobody knows: what is checked for a user who does not exist. */
static const char nobody[crypto_pwhash_STRBYTES] =
	"$argon2id$v=19$m=65536,t=3,p=1$"
	"/4S6xfEBvvq+eqPVk/zGFw$"
	"Q2jc5Y+axus1gAQ1J9HRP4piGOeV2PSp2Sd0nScpjD0";

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_RUNNING, SLOT_DONE };

struct slot {
	enum slot_state state;
	bool make, told;
	bool forgotten; /* while it runs: nobody waits for it any more */
	unsigned char ticket[PWHASH_TICKET];
	uint64_t order;
	int64_t started_ms; /* boot clock */
	size_t n;
	char password[PWHASH_PASSWORD];
	struct pwhash_result result;
	char stored[PWHASH_TEXT];
};

struct pwhash {
	struct slot *slots; /* in key memory */
	pthread_t thread;
	bool started, stop, in_line;
	atomic_bool any_done; /* since pwhash_wake() looked */
	int fd;
	uint64_t next_order;
	pthread_mutex_t lock; /* states of slots, stop */
	pthread_cond_t work;
};

int pwhash_open(struct core *c, struct err *e)
{
	struct pwhash *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->fd = -1;
	p->in_line = c->opt.pwhash_in_line;
	p->slots = keymem_alloc(SLOTS * sizeof(*p->slots));
	if (p->slots == NULL) {
		free(p);
		return err_set(e, ERR_NOMEM, "out of key memory");
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	c->pwhash = p;
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return p->fd >= 0 ? ERR_OK : err_sys(e, ERR_IO, errno, "eventfd");
}

void pwhash_close(struct core *c)
{
	struct pwhash *p = c->pwhash;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
	if (p->started)
		pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	keymem_free(p->slots, SLOTS * sizeof(*p->slots));
	if (p->fd >= 0)
		close(p->fd);
	free(p);
	c->pwhash = NULL;
}

/* "m=65536,": a number of up to nine digits between two texts; *at moves behind it. */
static bool number(const char **at, const char *before, char behind, unsigned *out)
{
	const char *s = *at, *from;

	if (strncmp(s, before, strlen(before)) != 0)
		return false;
	from = s += strlen(before);
	for (*out = 0; *s >= '0' && *s <= '9' && s - from < 9; s++)
		*out = *out * 10 + (unsigned)(*s - '0');
	*at = s + 1;
	return s > from && *s == behind;
}

static bool is_bcrypt(const char *s)
{
	unsigned cost;

	if (strlen(s) != 60 || s[0] != '$' || s[1] != '2' ||
	    (s[2] != 'a' && s[2] != 'b' && s[2] != 'y'))
		return false;
	s += 3;
	return number(&s, "$", '$', &cost) && cost >= BCRYPT_MIN && cost <= BCRYPT_MAX;
}

static bool is_argon(const char *s)
{
	unsigned kib, ops, lanes;

	return strlen(s) < PWHASH_TEXT && number(&s, "$argon2id$v=19$m=", ',', &kib) &&
	       number(&s, "t=", ',', &ops) && number(&s, "p=", '$', &lanes) &&
	       kib <= ARGON_KIB_MAX && ops >= 1 && ops <= ARGON_OPS_MAX && lanes >= 1 &&
	       lanes <= ARGON_LANES_MAX;
}

bool pwhash_supported(const char *stored)
{
	return is_bcrypt(stored) || is_argon(stored);
}

static bool bcrypt_match(const struct slot *s)
{
	struct crypt_data *d = calloc(1, sizeof(*d));
	const char *out;
	bool match;

	if (d == NULL || memchr(s->password, '\0', s->n) != NULL) {
		free(d);
		return false;
	}
	out = crypt_rn(s->password, s->stored, d, sizeof(*d));
	match = out != NULL && strlen(out) == strlen(s->stored) &&
	        sodium_memcmp(out, s->stored, strlen(out)) == 0;
	sodium_memzero(d, sizeof(*d));
	free(d);
	return match;
}

/* Whoever calls this owns the slot. */
static void compute(struct slot *s, bool weak)
{
	unsigned long long ops = weak ? crypto_pwhash_OPSLIMIT_MIN : OPS;
	size_t mem = weak ? crypto_pwhash_MEMLIMIT_MIN : MEM_BYTES;

	memset(&s->result, 0, sizeof(s->result));
	if (s->make) {
		if (crypto_pwhash_str_alg(s->result.stored, s->password, s->n, ops, mem,
		                          crypto_pwhash_ALG_ARGON2ID13) != 0)
			s->result.stored[0] = '\0';
	} else if (s->stored[0] == '\0') {
		if (!weak)
			(void)!crypto_pwhash_str_verify(nobody, s->password, s->n);
	} else if (is_bcrypt(s->stored)) {
		s->result.match = bcrypt_match(s);
	} else {
		s->result.match = crypto_pwhash_str_verify(s->stored, s->password,
		                                           s->n) == 0;
	}
	sodium_memzero(s->password, sizeof(s->password));
	sodium_memzero(s->stored, sizeof(s->stored));
}

static struct slot *oldest_queued(struct pwhash *p)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < SLOTS; i++)
		if (p->slots[i].state == SLOT_QUEUED &&
		    (found == NULL || p->slots[i].order < found->order))
			found = &p->slots[i];
	return found;
}

static void *work(void *arg)
{
	struct pwhash *p = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct slot *s = oldest_queued(p);

		if (s == NULL) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		s->state = SLOT_RUNNING;
		pthread_mutex_unlock(&p->lock);
		compute(s, false);
		pthread_mutex_lock(&p->lock);
		s->state = SLOT_DONE;
		if (s->forgotten)
			sodium_memzero(s, sizeof(*s));
		atomic_store(&p->any_done, true);
		/* A full counter is readable as well. */
		(void)!write(p->fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int start_thread(struct pwhash *p, struct err *e)
{
	int rc;

	if (p->started || p->in_line)
		return ERR_OK;
	rc = pthread_create(&p->thread, NULL, work, p);
	if (rc != 0)
		return err_sys(e, ERR_BUSY, rc, "starting the password thread");
	p->started = true;
	return ERR_OK;
}

/* A slot that is free, or whose result was not wanted; NULL if all are in use. */
static struct slot *find_room(const struct core *c)
{
	struct pwhash *p = c->pwhash;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &p->slots[i];

		if (s->state == SLOT_FREE ||
		    (s->state == SLOT_DONE && c->boot_ms - s->started_ms > DROP_MS))
			return s;
	}
	return NULL;
}

bool pwhash_ready(const struct core *c)
{
	bool ready;

	pthread_mutex_lock(&c->pwhash->lock);
	ready = find_room(c) != NULL;
	pthread_mutex_unlock(&c->pwhash->lock);
	return ready;
}

static int submit(struct core *c, const struct slot *job,
                  unsigned char ticket[PWHASH_TICKET], struct err *e)
{
	struct pwhash *p = c->pwhash;
	struct slot *s;
	int rc = start_thread(p, e);

	if (rc != ERR_OK)
		return rc;
	pthread_mutex_lock(&p->lock);
	if ((s = find_room(c)) != NULL) {
		*s = *job;
		s->order = p->next_order++;
		s->started_ms = c->boot_ms;
		rng_bytes(s->ticket, PWHASH_TICKET);
		memcpy(ticket, s->ticket, PWHASH_TICKET);
		s->state = SLOT_QUEUED;
		if (p->in_line) {
			compute(s, true);
			s->state = SLOT_DONE;
			atomic_store(&p->any_done, true);
		}
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
	return s != NULL ? ERR_OK : err_set(e, ERR_BUSY, "too many logins wait");
}

static int start(struct core *c, struct slot *job, const char *password, size_t n,
                 unsigned char ticket[PWHASH_TICKET], struct err *e)
{
	int rc;

	if (n >= PWHASH_PASSWORD)
		return err_set(e, ERR_INVALID, "a password may have at most %u bytes",
		               PWHASH_PASSWORD - 1);
	memcpy(job->password, password, n);
	job->n = n;
	rc = submit(c, job, ticket, e);
	sodium_memzero(job, sizeof(*job));
	return rc;
}

int pwhash_check(struct core *c, const char *stored, const char *password, size_t n,
                 unsigned char ticket[PWHASH_TICKET], struct err *e)
{
	struct slot job = { .state = SLOT_QUEUED };

	if (stored != NULL && strlen(stored) < sizeof(job.stored))
		memcpy(job.stored, stored, strlen(stored) + 1);
	return start(c, &job, password, n, ticket, e);
}

int pwhash_make(struct core *c, const char *password, size_t n,
                unsigned char ticket[PWHASH_TICKET], struct err *e)
{
	struct slot job = { .state = SLOT_QUEUED, .make = true };

	return start(c, &job, password, n, ticket, e);
}

int pwhash_take(struct core *c, const unsigned char ticket[PWHASH_TICKET],
                struct pwhash_result *out)
{
	struct pwhash *p = c->pwhash;
	int rc = ERR_NOENT;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < SLOTS && rc == ERR_NOENT; i++) {
		struct slot *s = &p->slots[i];

		if (s->state == SLOT_FREE ||
		    sodium_memcmp(s->ticket, ticket, PWHASH_TICKET) != 0)
			continue;
		rc = ERR_BUSY;
		if (s->state == SLOT_DONE) {
			*out = s->result;
			sodium_memzero(s, sizeof(*s));
			rc = ERR_OK;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void pwhash_forget(struct core *c, const unsigned char ticket[PWHASH_TICKET])
{
	struct pwhash *p = c->pwhash;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &p->slots[i];

		if (s->state == SLOT_FREE ||
		    sodium_memcmp(s->ticket, ticket, PWHASH_TICKET) != 0)
			continue;
		if (s->state == SLOT_RUNNING)
			s->forgotten = true;
		else
			sodium_memzero(s, sizeof(*s));
	}
	pthread_mutex_unlock(&p->lock);
}

int pwhash_fd(const struct core *c)
{
	return c->pwhash->fd;
}

bool pwhash_done(const struct core *c)
{
	return atomic_load(&c->pwhash->any_done);
}

void pwhash_wake(struct core *c)
{
	struct pwhash *p = c->pwhash;
	uint64_t count;

	if (!atomic_exchange(&p->any_done, false))
		return;
	(void)!read(p->fd, &count, sizeof(count));
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &p->slots[i];

		if (s->state != SLOT_DONE || s->told)
			continue;
		s->told = true;
		waits_wake(c->waits, WAIT_ARGON, s->ticket);
	}
	pthread_mutex_unlock(&p->lock);
}
