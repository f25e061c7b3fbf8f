/* SPDX-License-Identifier: Apache-2.0 */
#include "tmpl_func.h"

#include <string.h>

#include "tmpl_run.h"

/* clang-format off */
static const struct tmpl_func funcs[] = {
	/* of the language */
	{ "and",                  "vv*", NULL },
	{ "or",                   "vv*", NULL },
	{ "not",                  "v",   tmpl_fn_not },
	{ "eq",                   "vv*", tmpl_fn_eq },
	{ "ne",                   "vv",  tmpl_fn_ne },
	{ "lt",                   "vv",  tmpl_fn_lt },
	{ "le",                   "vv",  tmpl_fn_le },
	{ "gt",                   "vv",  tmpl_fn_gt },
	{ "ge",                   "vv",  tmpl_fn_ge },
	{ "index",                "vv*", tmpl_fn_index },
	{ "slice",                "vv*", tmpl_fn_slice },
	{ "len",                  "v",   tmpl_fn_len },
	{ "print",                "a*",  tmpl_fn_print },
	{ "println",              "a*",  tmpl_fn_println },
	{ "printf",               "sa*", tmpl_fn_printf },
	{ "html",                 "a*",  tmpl_fn_html },
	{ "js",                   "a*",  tmpl_fn_js },
	{ "urlquery",             "a*",  tmpl_fn_urlquery },
	/* what is outside */
	{ "secret",               "s",   tmpl_fn_secret },
	{ "secrets",              "s",   tmpl_fn_secrets },
	{ "file",                 "s",   tmpl_fn_file },
	{ "env",                  "s",   tmpl_fn_env },
	{ "mustEnv",              "s",   tmpl_fn_must_env },
	{ "envOrDefault",         "ss",  tmpl_fn_env_or_default },
	{ "timestamp",            "s*",  tmpl_fn_timestamp },
	/* strings */
	{ "trim",                 "ss",  tmpl_fn_trim },
	{ "trimPrefix",           "ss",  tmpl_fn_trim_prefix },
	{ "trimSuffix",           "ss",  tmpl_fn_trim_suffix },
	{ "trimSpace",            "s",   tmpl_fn_trim_space },
	{ "toLower",              "s",   tmpl_fn_to_lower },
	{ "toUpper",              "s",   tmpl_fn_to_upper },
	{ "toTitle",              "s",   tmpl_fn_to_title },
	{ "indent",               "is",  tmpl_fn_indent },
	{ "split",                "ss",  tmpl_fn_split },
	{ "join",                 "sl",  tmpl_fn_join },
	{ "replaceAll",           "sss", tmpl_fn_replace_all },
	{ "base64Encode",         "s",   tmpl_fn_base64_encode },
	{ "base64Decode",         "s",   tmpl_fn_base64_decode },
	{ "base64URLEncode",      "s",   tmpl_fn_base64url_encode },
	{ "base64URLDecode",      "s",   tmpl_fn_base64url_decode },
	{ "sha256Hex",            "s",   tmpl_fn_sha256_hex },
	{ "hmacSHA256Hex",        "ss",  tmpl_fn_hmac_sha256_hex },
	{ "md5sum",               "s",   tmpl_fn_md5sum },
	/* numbers */
	{ "add",                  "aa",  tmpl_fn_add },
	{ "subtract",             "aa",  tmpl_fn_subtract },
	{ "multiply",             "aa",  tmpl_fn_multiply },
	{ "divide",               "aa",  tmpl_fn_divide },
	{ "modulo",               "aa",  tmpl_fn_modulo },
	{ "minimum",              "aa",  tmpl_fn_minimum },
	{ "maximum",              "aa",  tmpl_fn_maximum },
	{ "loop",                 "a*",  tmpl_fn_loop },
	{ "parseBool",            "s",   tmpl_fn_parse_bool },
	{ "parseFloat",           "s",   tmpl_fn_parse_float },
	{ "parseInt",             "s",   tmpl_fn_parse_int },
	{ "parseUint",            "s",   tmpl_fn_parse_uint },
	/* lists and maps */
	{ "in",                   "aa",  tmpl_fn_in },
	{ "contains",             "aa",  tmpl_fn_contains },
	{ "containsAll",          "La",  tmpl_fn_contains_all },
	{ "containsAny",          "La",  tmpl_fn_contains_any },
	{ "containsNone",         "La",  tmpl_fn_contains_none },
	{ "containsNotAll",       "La",  tmpl_fn_contains_not_all },
	{ "splitToMap",           "sss", tmpl_fn_split_to_map },
	{ "explodeMap",           "m",   tmpl_fn_explode_map },
	{ "mergeMap",             "mm",  tmpl_fn_merge_map },
	{ "mergeMapWithOverride", "mm",  tmpl_fn_merge_map_with_override },
	{ "scratch",              "",    tmpl_fn_scratch },
	{ "toJSON",               "a",   tmpl_fn_to_json },
	{ "toJSONPretty",         "a",   tmpl_fn_to_json_pretty },
	{ "toUnescapedJSON",      "a",   tmpl_fn_to_unescaped_json },
	{ "toUnescapedJSONPretty", "a",  tmpl_fn_to_unescaped_json_pretty },
	{ "parseJSON",            "s",   tmpl_fn_parse_json },
	{ "toYAML",               "a",   tmpl_fn_to_yaml },
	{ "parseYAML",            "s",   tmpl_fn_parse_yaml },
};
/* clang-format on */

/* Consul, Nomad, certificates that are made on reading, programs, files that are written,
 * regular expressions: docs/templates.md says why. */
static const char *const refused[] = {
	"call",
	"key",
	"keyExists",
	"keyOrDefault",
	"ls",
	"safeLs",
	"tree",
	"safeTree",
	"node",
	"nodes",
	"service",
	"services",
	"connect",
	"caRoots",
	"caLeaf",
	"datacenters",
	"partitions",
	"peerings",
	"pkiCert",
	"exportedServices",
	"nomadServices",
	"importedServices",
	"nomadService",
	"nomadVarList",
	"nomadVar",
	"nomadVarListSafe",
	"byKey",
	"nomadVarExists",
	"byPort",
	"byTag",
	"byMeta",
	"explode",
	"plugin",
	"executeTemplate",
	"writeToFile",
	"regexMatch",
	"sockaddr",
	"regexReplaceAll",
	"toTOML",
	"spew_dump",
	"spew_printf",
	"spew_sdump",
	"spew_sprintf",
};

const struct tmpl_func *tmpl_func_find(struct tmpl_str name, const char **why)
{
	for (size_t i = 0; i < ARRAY_LEN(funcs); i++)
		if (tmpl_str_is(name, funcs[i].name))
			return &funcs[i];
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (tmpl_str_is(name, refused[i]))
			*why = "supported";
	if (name.n > 7 && memcmp(name.p, "sprig_", 6) == 0)
		*why = "supported";
	return NULL;
}

bool tmpl_func_variadic(const struct tmpl_func *f)
{
	return strchr(f->params, '*') != NULL;
}

unsigned tmpl_func_fixed(const struct tmpl_func *f)
{
	size_t n = strlen(f->params);

	return (unsigned)(tmpl_func_variadic(f) ? n - 2 : n);
}

char tmpl_func_param(const struct tmpl_func *f, size_t i)
{
	size_t fixed = tmpl_func_fixed(f);

	return f->params[i < fixed ? i : fixed];
}
