/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FIELDS_H
#define CLI_FIELDS_H
/*
 * fields - members of a body from the arguments of a command, secrets kept out of argv.
 *
 *   NAME          asks without echo, or reads one line of standard input
 *   NAME=@FILE    from a file          NAME=-   all of standard input
 *   @FILE, -      a whole JSON object
 *   NAME:=VALUE   a setting that is no secret (JSON if it is JSON, else text)
 */
#include "cli.h"

/** fields_collect(c, first, plain, data, e): arguments from number ${first} on into
 * *data, an object that the caller owns (it may be replaced by another).  ${plain}: is
 * NAME:=VALUE allowed? */
int fields_collect(struct cli *c, int first, bool plain, json_t **data, struct err *e)
	MUST_CHECK;

/** FIELDS_DETAILS: the above for the help of a command. */
#define FIELDS_DETAILS                                                                 \
	"NAME         asks for the value without echo (or reads one line of standard " \
	"input)\n"                                                                     \
	"NAME=@FILE   reads it from a file; NAME=- reads all of standard input\n"      \
	"@FILE or -   a whole JSON object\n"

#endif
