/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of "files": what becomes a file, and whose it is. */
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "deliver/generation.h"
#include "file.h"
#include "path.h"
#include "settings_impl.h"
#include "text.h"

#define GROUPS_MAX 256

static int check_path(const char *s, struct err *e)
{
	size_t n = strlen(s);
	int rc = path_check(s, n, e);

	if (rc != ERR_OK)
		return rc;
	if (s[n - 1] == '/' || memchr(s, '/', n) == NULL)
		return err_set(e, ERR_USAGE,
		               "must name one secret, such as secret/app/db");
	return ERR_OK;
}

static int check_field(const char *s, struct err *e)
{
	return *s == '\0' ? err_set(e, ERR_USAGE, "must not be empty") : ERR_OK;
}

int settings_check_name(const char *s, struct err *e)
{
	return generation_name_check(s, "it", e);
}

static bool parse_id(const char *s, unsigned long *id)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 10 || s[n] != '\0')
		return false;
	*id = strtoul(s, NULL, 10);
	return *id < UINT32_MAX;
}

int settings_find_user(const char *s, uid_t *uid, gid_t *gid, struct err *e)
{
	unsigned long id;
	const struct passwd *pw;

	if (parse_id(s, &id)) {
		pw = getpwuid((uid_t)id);
		*uid = (uid_t)id;
		*gid = pw != NULL ? pw->pw_gid : (gid_t)id;
		return ERR_OK;
	}
	if ((pw = getpwnam(s)) == NULL)
		return err_set(e, ERR_USAGE, "there is no user '%s'", s);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return ERR_OK;
}

static int find_group(const char *s, gid_t *gid, struct err *e)
{
	unsigned long id;
	const struct group *gr;

	if (parse_id(s, &id)) {
		*gid = (gid_t)id;
		return ERR_OK;
	}
	if ((gr = getgrnam(s)) == NULL)
		return err_set(e, ERR_USAGE, "there is no group '%s'", s);
	*gid = gr->gr_gid;
	return ERR_OK;
}

int settings_check_user(const char *s, struct err *e)
{
	uid_t uid;
	gid_t gid;

	return settings_find_user(s, &uid, &gid, e);
}

static int check_group(const char *s, struct err *e)
{
	gid_t gid;

	return find_group(s, &gid, e);
}

static bool is_member(gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return gid == getegid();
}

/* What an ordinary user may not do is said now, not at the first delivery. */
static int may_give(const struct settings_file *f, struct err *e)
{
	const char *binding = f->binding != NULL ? f->binding : "";

	if (geteuid() == 0)
		return ERR_OK;
	if (f->uid != geteuid())
		return err_set(
			e, ERR_USAGE,
			"file '%s/%s': only root can give a file to owner '%s': run the "
			"agent as root, or leave owner out",
			binding, f->name, f->owner);
	if (!is_member(f->gid))
		return err_set(e, ERR_USAGE,
		               "file '%s/%s': the agent's user is not in group '%s'",
		               binding, f->name, f->group != NULL ? f->group : f->owner);
	return ERR_OK;
}

static int check_raw(struct settings_file *f, struct err *e)
{
	int rc;

	if (f->field == NULL)
		return err_set(e, ERR_USAGE, "field is missing (the format is raw)");
	if (f->fields.n > 0)
		return err_set(e, ERR_USAGE,
		               "fields goes with the formats env and json: raw is field");
	if (f->name != NULL)
		return ERR_OK;
	if ((rc = generation_name_check(f->field, "field (there is no name)", e)) !=
	    ERR_OK)
		return rc;
	f->name = f->field;
	return ERR_OK;
}

static int check_template(const struct settings_file *f, struct err *e)
{
	if (f->template != NULL && f->template_text != NULL)
		return err_set(e, ERR_USAGE,
		               "template and template_text exclude each other");
	if (f->path != NULL)
		return err_set(e, ERR_USAGE,
		               "a template has no path: it names its secrets");
	if (f->field != NULL || f->fields.n > 0)
		return err_set(e, ERR_USAGE, "a template has no field");
	return ERR_OK;
}

static bool is_twice(const struct config_list *list, size_t i)
{
	const char *const *names = list->items;

	for (size_t j = 0; j < i; j++)
		if (strcmp(names[i], names[j]) == 0)
			return true;
	return false;
}

static int check_whole(const struct settings_file *f, struct err *e)
{
	const char *const *names = f->fields.items;

	if (f->field != NULL)
		return err_set(e, ERR_USAGE,
		               "field goes with the format raw: this one has fields");
	for (size_t i = 0; i < f->fields.n; i++)
		if (is_twice(&f->fields, i))
			return err_set(e, ERR_USAGE, "field '%s' is there twice",
			               names[i]);
	return ERR_OK;
}

/* Which keys go together, and what follows for those that were left out. */
static int check_format(struct settings_file *f, struct err *e)
{
	bool template = f->template != NULL || f->template_text != NULL;
	int rc;

	if (template && f->format != FORMAT_UNSET && f->format != FORMAT_TEMPLATE)
		return err_set(e, ERR_USAGE, "a template has no other format");
	if (!template && f->format == FORMAT_TEMPLATE)
		return err_set(e, ERR_USAGE, "template or template_text is missing");
	if (!template && f->path == NULL)
		return err_set(e, ERR_USAGE, "path is missing");
	if (f->quote != QUOTE_SHELL && f->format != FORMAT_ENV)
		return err_set(e, ERR_USAGE, "quote goes with format: env");
	if (f->format == FORMAT_UNSET)
		f->format = template ? FORMAT_TEMPLATE : FORMAT_RAW;
	rc = template                  ? check_template(f, e)
	     : f->format == FORMAT_RAW ? check_raw(f, e)
	                               : check_whole(f, e);
	if (rc == ERR_OK && f->name == NULL)
		return err_set(e, ERR_USAGE, "name is missing");
	return rc;
}

static int finish_file(void *object, struct err *e)
{
	struct settings_file *f = object;
	const char *binding = f->binding != NULL ? f->binding : "";
	int rc;

	if ((rc = check_format(f, e)) != ERR_OK)
		return rc;
	f->uid = geteuid();
	f->gid = getegid();
	if (f->owner != NULL &&
	    (rc = settings_find_user(f->owner, &f->uid, &f->gid, e)) != ERR_OK)
		return rc;
	if (f->group != NULL && (rc = find_group(f->group, &f->gid, e)) != ERR_OK)
		return rc;
	if ((f->mode & ~(mode_t)0777) != 0 || (f->dir_mode & ~(mode_t)0777) != 0)
		return err_set(e, ERR_USAGE, "file '%s/%s': mode must be at most 0777",
		               binding, f->name);
	return may_give(f, e);
}

static const char *const format_choices[] = { [FORMAT_RAW] = "raw",
	                                      [FORMAT_ENV] = "env",
	                                      [FORMAT_JSON] = "json",
	                                      [FORMAT_TEMPLATE] = "template",
	                                      NULL };
static const char
	*const quote_choices[] = { [QUOTE_SHELL] = "shell", [QUOTE_NONE] = "none", NULL };
static const struct settings_file file_defaults = { .format = FORMAT_UNSET,
	                                            .mode = 0400,
	                                            .dir_mode = 0711 };
#define KEY(name, type, ...)                                                   \
	{                                                                      \
#name, type, offsetof(struct settings_file, name), __VA_ARGS__ \
	}
static const struct config_key file_keys[] = {
	KEY(path, CONFIG_STRING, .check = check_path),
	KEY(field, CONFIG_STRING, .check = check_field),
	KEY(fields, CONFIG_STRINGS, .check = check_field),
	KEY(format, CONFIG_CHOICE, .choices = format_choices),
	KEY(quote, CONFIG_CHOICE, .choices = quote_choices),
	KEY(template, CONFIG_STRING, .check = settings_check_absolute),
	KEY(template_text, CONFIG_STRING, .flags = CONFIG_LINES),
	KEY(binding, CONFIG_STRING, .check = settings_check_name),
	KEY(name, CONFIG_STRING, .check = settings_check_name),
	KEY(owner, CONFIG_STRING, .check = settings_check_user),
	KEY(group, CONFIG_STRING, .check = check_group),
	KEY(mode, CONFIG_MODE, .flags = 0),
	KEY(dir_mode, CONFIG_MODE, .flags = 0),
};
const struct config_schema settings_file_schema = {
	.keys = file_keys,
	.n = ARRAY_LEN(file_keys),
	.size = sizeof(struct settings_file),
	.defaults = &file_defaults,
	.finish = finish_file,
};

static int check_pair(const struct settings_file *f, const struct settings_file *g,
                      struct err *e)
{
	if (strcmp(f->binding, g->binding) != 0)
		return ERR_OK;
	if (strcmp(f->name, g->name) == 0)
		return err_set(e, ERR_USAGE, "file '%s/%s' is there twice", f->binding,
		               f->name);
	if (f->dir_mode != g->dir_mode)
		return err_set(e, ERR_USAGE,
		               "binding '%s' has two different values of dir_mode",
		               f->binding);
	return ERR_OK;
}

int settings_check_files(const struct settings_file *f, size_t n, struct err *e)
{
	int rc;

	for (size_t i = 0; i < n; i++) {
		if (f[i].binding == NULL)
			return err_set(e, ERR_USAGE, "files[%zu]: binding is missing", i);
		for (size_t j = 0; j < i; j++)
			if ((rc = check_pair(&f[i], &f[j], e)) != ERR_OK)
				return rc;
	}
	return ERR_OK;
}

int settings_read_templates(struct arena *a, struct settings *s, struct err *e)
{
	struct settings_file *f = s->files.items;

	for (size_t i = 0; i < s->files.n; i++) {
		char *text = NULL;
		size_t n = 0;
		int rc;

		if (f[i].template == NULL)
			continue;
		rc = file_read(a, f[i].template, CONFIG_LINES_MAX, &text, &n, e);
		if (rc != ERR_OK)
			return err_wrap(e, "file '%s/%s'", f[i].binding, f[i].name);
		if (strlen(text) != n || !text_lines(text, n))
			return err_set(e, ERR_USAGE,
			               "%s: holds control characters, or is no UTF-8",
			               f[i].template);
		f[i].template_text = text;
	}
	return ERR_OK;
}
