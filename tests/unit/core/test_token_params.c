/* SPDX-License-Identifier: Apache-2.0 */
/* The token_* parameters that roles of login methods share. */
#include "core_rig.h"

#include "server/core/loop/req.h"
#include "server/core/token/token_params.h"

static struct req r;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	rig.a = r.a = arena_new((size_t)16 * 1024 * 1024);
}

static void teardown(void)
{
	arena_free(rig.a);
}

TestSuite(token_params, .init = setup, .fini = teardown, .timeout = 30);

static int take(struct token_params *p, const char *fields)
{
	static const struct token_param_alias old[] = {
		{"token_policies", "policies"},
		{ "token_ttl",     "ttl"     },
		{ NULL,            NULL      },
	};

	r.body = rig_json(fields);
	r.e = (struct err){ 0 };
	return token_params_take(&r, old, p);
}

static const char *shown(const struct token_params *p)
{
	struct value *out = value_object(rig.a);

	token_params_reply(rig.a, p, out);
	rig.body = out;
	return rig_got("");
}

Test(token_params, nothing_set_reads_back_with_exact_types)
{
	struct token_params p;

	token_params_init(rig.a, &p);
	cr_assert_eq(take(&p, "{}"), ERR_OK);
	cr_assert_str_eq(
		shown(&p),
		"{token_ttl:0,token_max_ttl:0,token_explicit_max_ttl:0,token_period:0,"
		"token_num_uses:0,token_policies:[],token_bound_cidrs:[],"
		"token_no_default_policy:false,token_strictly_bind_ip:false,"
		"token_type:default}");
}

Test(token_params, survive_being_stored_and_merged)
{
	struct token_params p;
	struct value *body = value_object(rig.a);

	token_params_init(rig.a, &p);
	cr_assert_eq(take(&p, "{\"token_ttl\":\"1h\",\"token_max_ttl\":7200,"
	                      "\"token_explicit_max_ttl\":\"3h\",\"token_period\":10,"
	                      "\"token_num_uses\":\"3\",\"token_policies\":\"B,a,b\","
	                      "\"token_bound_cidrs\":[\"10.0.0.0/8\",\"::1/128\"],"
	                      "\"token_no_default_policy\":\"true\","
	                      "\"token_type\":\"default-service\"}"),
	             ERR_OK, "%s", r.e.msg);
	token_params_save(rig.a, &p, body);
	token_params_load(rig.a, body, &p);
	cr_assert_eq(take(&p, "{\"token_num_uses\":0,\"token_bound_cidrs\":null}"),
	             ERR_OK);
	cr_assert_str_eq(
		shown(&p),
		"{token_ttl:3600,token_max_ttl:7200,token_explicit_max_ttl:10800,"
		"token_period:10,token_num_uses:0,token_policies:[a,b],"
		"token_bound_cidrs:[10.0.0.0/8,::1],token_no_default_policy:true,"
		"token_strictly_bind_ip:false,token_type:default-service}");
}

Test(token_params, old_names_count_where_the_new_is_absent)
{
	struct token_params p;

	token_params_init(rig.a, &p);
	cr_assert_eq(take(&p, "{\"policies\":\"old\",\"ttl\":60,\"token_ttl\":30}"),
	             ERR_OK);
	cr_assert_eq(p.ttl_ms, 30000);
	cr_assert(value_is_str(p.policies->first, "old"));
}

static const struct {
	const char *fields, *error;
} refused[] = {
	{"{\"token_ttl\":-1}",						      "'token_ttl' cannot be negative"     },
	{ "{\"token_max_ttl\":\"-1s\"}",					    "'token_max_ttl' cannot be negative" },
	{ "{\"token_explicit_max_ttl\":-1}",
         "'token_explicit_max_ttl' cannot be negative"								   },
	{ "{\"token_period\":-1}",						  "'token_period' cannot be negative"  },
	{ "{\"token_num_uses\":-1}",						"'token_num_uses' cannot be negative"},
	{ "{\"token_ttl\":11,\"token_max_ttl\":10}",
         "'token_ttl' cannot be greater than 'token_max_ttl'"                                                            },
	{ "{\"token_type\":\"batch\",\"token_period\":10}",
         "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic "
	  "tokens"												       },
	{ "{\"token_type\":\"default-batch\",\"token_num_uses\":1}",
         "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens "
	  "with limited use count"										       },
	{ "{\"token_type\":\"gold\"}",					      "invalid 'token_type' value \"gold\""},
	{ "{\"token_strictly_bind_ip\":true,\"token_bound_cidrs\":\"10.0.0.0/8\"}",
         "'token_strictly_bind_ip' cannot be set together with 'token_bound_cidrs'"                                      },
	{ "{\"token_bound_cidrs\":\"10.0.0.0/33\"}",
         "token_bound_cidrs: not an address or a block of addresses"                                                     },
	{ "{\"token_ttl\":true}",
         "Field validation failed: error converting input for field \"token_ttl\": "
	  "expected duration"											    },
};

Test(token_params, what_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct token_params p;

		token_params_init(rig.a, &p);
		cr_assert_eq(take(&p, refused[i].fields), ERR_INVALID, "%s",
		             refused[i].fields);
		cr_assert_str_eq(r.e.msg, refused[i].error);
	}
}

Test(token_params, addresses)
{
	const struct value *outer = rig_json("[\"10.0.0.0/8\",\"192.0.2.1\"]");

	cr_assert(token_cidrs_admit(NULL, "unix"));
	cr_assert(token_cidrs_admit(value_array(rig.a), "1.2.3.4"));
	cr_assert(token_cidrs_admit(outer, "10.2.3.4"));
	cr_assert_not(token_cidrs_admit(outer, "192.0.2.2"));
	cr_assert_not(token_cidrs_admit(outer, "unix"), "the socket has no address");
	cr_assert(token_cidrs_within(rig_json("[\"10.3.0.0/16\",\"192.0.2.1\"]"), outer));
	cr_assert_not(
		token_cidrs_within(rig_json("[\"10.3.0.0/16\",\"8.0.0.0/7\"]"), outer));
	cr_assert(token_cidrs_within(rig_json("[\"8.0.0.0/7\"]"), NULL));
}
