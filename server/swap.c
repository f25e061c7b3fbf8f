/* SPDX-License-Identifier: Apache-2.0 */
#include "swap.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The first line of ${path} that starts with ${prefix}, without it and without its end.
 */
static bool find_line(const char *path, const char *prefix, char *out, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[PATH_MAX];

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, prefix, strlen(prefix)) == 0;
		if (found)
			snprintf(out, cap, "%s", line + strlen(prefix));
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* A limit of 0 on this group or any above it holds for all of them. */
static bool group_forbids(const char *cgroup, const char *root)
{
	char group[PATH_MAX], path[2 * PATH_MAX], limit[32], *slash;

	if (!find_line(cgroup, "0::", group, sizeof(group)))
		return false;
	for (;;) {
		snprintf(path, sizeof(path), "%s%s/memory.swap.max", root, group);
		if (find_line(path, "", limit, sizeof(limit)) && strcmp(limit, "0") == 0)
			return true;
		slash = strrchr(group, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
}

const char *swap_state_in(const char *swaps, const char *cgroup, const char *root)
{
	char line[PATH_MAX];
	/* The table's heading starts with "Filename"; every device has an absolute name.
	 */
	bool on = find_line(swaps, "/", line, sizeof(line));

	return on && !group_forbids(cgroup, root) ? "exposed" : "off";
}

const char *swap_state(void)
{
	return swap_state_in("/proc/swaps", "/proc/self/cgroup", "/sys/fs/cgroup");
}
