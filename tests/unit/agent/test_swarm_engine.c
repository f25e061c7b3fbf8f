/* SPDX-License-Identifier: Apache-2.0 */
/* What Docker's words mean to the machine, and what is read of services and tasks. */
#include "agent/swarm/engine_impl.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "agent/swarm/names.h"

TestSuite(swarm_engine, .timeout = 20);

struct said_case {
	int rc;
	long status;
	char text[160];
	int want;
};

/* As Docker 20.10 has said it. */
ParameterizedTestParameters(swarm_engine, its_words_are_understood)
{
	static struct said_case c[] = {
		{ERR_OK,           200, "",							ERR_OK         },
		{ ERR_IO,          500, "rpc error: code = Unknown desc = update out of sequence",
                 ERR_CONFLICT										     },
		{ ERR_IO,          500,
                 "rpc error: code = DeadlineExceeded desc = context deadline exceeded",            ERR_UNKNOWN    },
		{ ERR_IO,          500,
                 "rpc error: code = Unknown desc = The swarm does not have a leader.",             ERR_UNKNOWN    },
		{ ERR_BUSY,        503,
                 "This node is not a swarm manager. Worker nodes can't be used",		   ERR_UNREACHABLE},
		{ ERR_INVALID,     400, "secret 'X' is in use by the following service: web",
                 ERR_BUSY											 },
		{ ERR_INVALID,     400,
                 "rpc error: desc = only updates to Labels are allowed",                           ERR_VERIFY     },
		{ ERR_INVALID,     400, "rpc error: desc = secret not found: gone",
                 ERR_INVALID										      },
		{ ERR_NOENT,       404, "service x not found",                                     ERR_NOENT      },
		{ ERR_CONFLICT,    409, "secret X already exists",                                 ERR_CONFLICT   },
		{ ERR_IO,          500, "something new",                                           ERR_UNKNOWN    },
		{ ERR_TIMEOUT,     0,   "Docker did not answer in time",                           ERR_UNKNOWN    },
		{ ERR_UNREACHABLE, 0,   "connection refused",                                      ERR_UNKNOWN    },
		{ ERR_INVALID,     0,   "what came cannot be read",                                ERR_UNKNOWN    },
	};

	return cr_make_param_array(struct said_case, c, sizeof(c) / sizeof(*c));
}

ParameterizedTest(struct said_case *c, swarm_engine, its_words_are_understood)
{
	struct err e;
	struct docker_result r = { .rc = c->rc, .status = c->status, .e = &e };

	err_set(&e, (enum errcode)c->rc, "Docker answered %ld: %s", c->status, c->text);
	cr_assert_eq(engine_meaning(&r), c->want, "%s: %d", c->text, engine_meaning(&r));
}

#define LABELS(cluster, version, object)                                                   \
	"{\"ID\":\"x1\",\"Spec\":{\"Name\":\"n\",\"Labels\":{\"vault.cluster\":\"" cluster \
	"\",\"vault.binding\":\"b\",\"vault.version\":\"" version                          \
	"\",\"vault.object\":\"" object "\"}}}"

Test(swarm_engine, only_our_secrets_are_ours)
{
	static const char *const others[] = {
		"{}",
		"{\"ID\":\"x1\",\"Spec\":{\"Name\":\"n\",\"Labels\":{}}}",
		"{\"ID\":7,\"Spec\":{\"Name\":\"n\"}}",
		LABELS("c2", "1", "0"),
		LABELS("c1", "0", "0"),
		LABELS("c1", "-1", "0"),
		LABELS("c1", "1x", "0"),
		LABELS("c1", "99999999999999999999", "0"),
		LABELS("c1", "1", "4"),
		LABELS("c1", "1", ""),
		LABELS("c1", "1", "00"),
	};
	json_t *o = json_loads(LABELS("c1", "12", "3"), 0, NULL);
	struct machine_secret s;

	cr_assert(view_secret(o, "c1", &s));
	cr_assert_eq(s.version, 12);
	cr_assert_eq(s.object, 3);
	cr_assert_str_eq(s.binding, "b");
	json_decref(o);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		o = json_loads(others[i], 0, NULL);
		cr_assert_not_null(o);
		cr_assert_not(view_secret(o, "c1", &s), "%s", others[i]);
		json_decref(o);
	}
}

/* Nothing that Docker could say makes it stumble. */
Test(swarm_engine, strange_services_and_tasks_are_left_out)
{
	static const char *const strange[] = {
		"{}",
		"{\"ID\":[],\"Spec\":7}",
		"{\"ID\":\"s\",\"Spec\":{\"Name\":\"n\"}}",
		"{\"ID\":\"s\",\"Spec\":{\"Name\":\"n\"},\"Version\":{\"Index\":-1}}",
		"{\"ID\":\"s\",\"Spec\":{\"Name\":\"n\",\"TaskTemplate\":{\"ContainerSpec\":"
		"{\"Secrets\":[7,{},{\"SecretID\":9},{\"SecretID\":\"a\",\"File\":[]}]}}},"
		"\"Version\":{\"Index\":1},\"PreviousSpec\":[],\"UpdateStatus\":\"x\","
		"\"ServiceStatus\":{\"DesiredTasks\":-5}}",
		"{\"ID\":\"t\",\"ServiceID\":\"gone\",\"Status\":{\"State\":\"odd\"},"
		"\"DesiredState\":\"running\",\"Spec\":{\"ContainerSpec\":{\"Secrets\":{}}}}",
	};
	struct view *v = view_new();
	struct machine *m = NULL;
	const struct machine_ops ops = { NULL, NULL, NULL, NULL };
	struct err e;

	cr_assert_eq(machine_new(&ops, &m, &e), ERR_OK);
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		json_t *o = json_loads(strange[i], 0, NULL);

		cr_assert_not_null(o, "%s", strange[i]);
		view_service(v, o);
		view_task(v, o);
		json_decref(o);
	}
	cr_assert_eq(view_show(v, m, 1, &(struct engine_ops){ .seen = NULL }, &e), ERR_OK,
	             "%s", e.msg);
	view_free(v);
	machine_free(m);
}
