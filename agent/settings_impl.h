/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SETTINGS_IMPL_H
#define AGENT_SETTINGS_IMPL_H
/* settings_impl - what the files of the module share; nobody else includes it. */
#include "settings.h"

#define SETTINGS_STALE_MAX_MS (365LL * 24 * 3600 * 1000)
#define SETTINGS_ROTATE_MS    (30LL * 24 * 3600 * 1000)

extern const struct config_schema settings_schema; /* of struct settings */
extern const struct config_schema settings_file_schema;
extern const struct config_schema settings_binding_schema;
extern const struct config_schema settings_docker_schema;
extern const struct config_schema settings_swarm_schema;

/** settings_check_absolute(s, e): a path from '/', without one at its end. */
int settings_check_absolute(const char *s, struct err *e) MUST_CHECK;
/** settings_check_socket(s, e): the same, short enough for a socket. */
int settings_check_socket(const char *s, struct err *e) MUST_CHECK;
/** settings_check_name(s, e): of a binding, or of a file. */
int settings_check_name(const char *s, struct err *e) MUST_CHECK;

/** settings_find_user(s, uid, gid, e): by name or number; ${gid} is the user's own. */
int settings_find_user(const char *s, uid_t *uid, gid_t *gid, struct err *e) MUST_CHECK;
int settings_check_user(const char *s, struct err *e) MUST_CHECK;

/** settings_check_files(f, n, e): rules about files of one binding. */
int settings_check_files(const struct settings_file *f, size_t n, struct err *e)
	MUST_CHECK;
/** settings_check_bindings(s, e): rules about bindings, and what they need elsewhere. */
int settings_check_bindings(const struct settings *s, struct err *e) MUST_CHECK;
/** settings_check_binding(s, b, e): what one binding needs from the rest. */
int settings_check_binding(const struct settings *s, const struct settings_binding *b,
                           struct err *e) MUST_CHECK;

#endif
