/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo - what a Unix socket costs here: one connection after the other is accepted, what
 * comes is read once, as many bytes as were asked for are written, and it is closed.
 *
 *     echo SOCKET BYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 65536

int main(int argc, char **argv)
{
	static char in[MOST], out[MOST];
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (n == 0 || n > MOST || strlen(argv[1]) >= sizeof(to.sun_path))
		return 2;
	memset(out, 'x', sizeof(out));
	memcpy(to.sun_path, argv[1], strlen(argv[1]) + 1);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    listen(listener, 64) != 0)
		return 1;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (recv(fd, in, sizeof(in), 0) > 0)
			(void)!send(fd, out, n, MSG_NOSIGNAL);
		close(fd);
	}
	return 1;
}
