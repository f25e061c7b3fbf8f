/* SPDX-License-Identifier: Apache-2.0 */
/* verdict: values, the names before them, and what stands around. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "blob.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/keyname.h"
#include "verdict/placeholder.h"
#include "verdict/random.h"
#include "verdict/structure.h"
#include "verdict/validator.h"
#include "verdict/verdict.h"

TestSuite(verdict, .timeout = 20);

#define S(s) (s), strlen(s)

static struct rule assign = {
	.id = (char *)"assign",
	.validator = (char *)"assign",
	.confidence = CONFIDENCE_LOW,
	.severity = SEVERITY_HIGH,
};

/* The verdict on the value between the bars of ${marked}. */
static struct verdict judge_rule(const struct rule *rule, const char *path,
                                 const char *marked)
{
	static char text[1024];
	const char *open = strchr(marked, '|'), *close = strchr(open + 1, '|');
	struct blob blob = { .path = path };
	struct candidate c = { .rule = rule, .text = text, .blob = &blob, .decoded = "" };
	struct verdict v;

	c.value_at = (size_t)(open - marked);
	c.n = (size_t)(close - open - 1);
	memcpy(text, marked, c.value_at);
	memcpy(text + c.value_at, open + 1, c.n);
	memcpy(text + c.value_at + c.n, close + 1, strlen(close + 1) + 1);
	c.text_n = strlen(text);
	c.value = text + c.value_at;
	verdict_judge(&c, &v);
	return v;
}

static enum drop judge(const char *marked)
{
	return judge_rule(&assign, "app.conf", marked).drop;
}

Test(verdict, values_that_are_secrets)
{
	static const char *const texts[] = {
		"db_password = |Tq7vz2Lm9xw|",
		"DB_PASSWORD=|bluewhale|",
		"password: |qzxwvbnkjtrp|",
		"\"clientSecret\": \"|q7ZvT2mLx9Kd7RwP4nBs|\"",
		"API_KEY=|7c1f9e3a5b28d0467e1c9f3a5b28d046|",
		"signing_key: |q7ZvT2mLx9Kd7RwP4nBsc8Yh3Fg6Jk1N|",
		"  password: '|p@ss/w0rd!71|'",
		"CONFIG={\\\"password\\\":\\\"|Tq7vz2Lm9|\\\"}",
		/* signs at both ends, or before a name in quotes, are part of a password
		 */
		"db_password = \"|!Tq7vz2Lm9!|\"",
		"db_password: '|*Vx8qLw31*|'",
		"db_password = '|$ecretP4ss9|'",
		"private_token = \"|0x7c1f9e3a5b28d0467e1c9f3a5b28d0461b2c3d4e|\"",
		"shard_key: |q7ZvT2mLx9Kd7RwP4nBsc8Yh3Fg6Jk1N|",
		"vault_decrypt_key=|7c1f9e3a5b28d0467e1c9f3a5b28d046|",
		"ERLANG_COOKIE=|XQZTRVWKJHGMNBPLDFSC|",
		/* what people make up, and what chance makes of few characters */
		"smtp_pass = \"|Winter_Vault4027|\"",
		"db_password: '|pse9gbU.+YXexvU129|'",
		"password: \"|EURUPVkaQqAHEJhr|\"",
		"private_token = \"|6ew6mk5wqmZAXVpX5zS6|\"",
		"passphrase: |lantern-gravel-mosaic-tundra57|",
		"db_password = \"|dmenCkhvMd-aKjI|\"",
		"ldap_default_authtok = |WillowGoblet192*|",
		"cn = \"Provider=SQLOLEDB;Password=|nWWO-HPSET7sqQ|;\"",
		"admin.password=|Kestrel_50608Zq|",
		"DB_PASSWORD=\"${DB_PASSWORD:|-Tq7vz2Lm9xw|}\"",
		/* random beyond doubt: any signs, brackets at their ends too */
		"SECRET_KEY = '|(w$q5h^3)v@x9z*)k=+f7&t!2m[n8]j%(b#6_c{y4}|'",
		"db_password = \"|,XA!nU?T0K#7e@}/6/lT|\"",
		"db_password: '|<8T]kQ5zW[2x>7LfJ|'",
		"passwort = |badger-Pepper-698Bramble|",
		"ARG NEXUS_PASSWORD=|cFli8X6JJBL85R_h|",
		"mot_de_passe = '|J!ICH692vCj7e2|'",
		"kennwort = |q7vT2mLx9Kd|",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_eq(judge(texts[i]), DROP_NONE, "%s: %d", texts[i],
		             judge(texts[i]));
}

Test(verdict, sequences_for_terminals)
{
	static const char text[] = "x\033[32mT \033[1;33mT \033[KT [32mT \033"
				   "32mT mT";
	static const bool after[] = { true, true, true, false, false, false };
	size_t at = 0;

	for (size_t i = 0; i < sizeof(after) / sizeof(*after); i++, at++) {
		at += strcspn(text + at, "T");
		cr_expect_eq(context_after_escape(text, at), after[i], "%zu", i);
	}
	cr_expect_not(context_after_escape(text, 0));
}

Test(verdict, values_that_are_none)
{
	static const char *const texts[] = {
		"password = |os.environ|[\"DB_PASSWORD\"]",
		"password = |getPassword(user)|",
		"\"togglePassword\": \"|Ctrl+Shift+P|\"",
		"api.secret=|Cl\\u00e9|",
		"password: |PBKDF2-SHA256|",
		"DB_PASSWORD=|${DB_PASSWORD}|",
		"DB_PASSWORD=|changeme|",
		"DB_PASSWORD=|<your password>|",
		"DB_PASSWORD=|xxxxxxxxxxxx|",
		"DB_PASSWORD=|********|",
		"password: |string|",
		"POSTGRES_PASSWORD_FILE=|/run/secrets/db_Tq7vz2Lm|",
		"token_url = |https://login.acme.io/oauth2/Tq7vz2Lm|",
		"public_key = |q7ZvT2mLx9Kd7RwP4nBs|",
		"keyboard_token_name = |q7ZvT2mLx9Kd7RwP4nBs|",
		"if (token == |q7ZvT2mLx9Kd7RwP4nBs|)",
		"token: |7c1f9e3a-5b28-4d04-a7e1-c9f3a5b28d04|",
		"secret: |ENC[AES256_GCM,data:q7ZvT2mLx9Kd7RwP4nBs]|",
		"secret = |registry-credentials|",
		"secret: |aaaaaaaaaaaaaaaaaaaa|",
		"secret: |0123456789abcdef0123456789abcdef|",
		"password: |bm90IG15IHJlYWwgcGFzc3dvcmQ=|",
		"password: '|$DB1_PASSWORD|'",
		"password: '|$db_password|'",
		"password: |$dbPassword2|",
		"password: |%database_password%|",
		"password: |!CHANGE_ME_1!|",
		"password: |*your-password*|",
		/* addresses and digests, keys that part data, cookies of statistics */
		"token: \"|0x7c1f9e3a5b28d0467e1c9f3a5b28d0461b2c3d4e|\"",
		"tokenAddress = \"|0x7c1f9e3a5b28d0467e1c9f3a5b28d0461b2c3d4e|\"",
		"token_symbol = \"|q7ZvT2mLx9Kd7RwP4nBs|\"",
		"Cookie: |_ga=GA1.2.1284736271.1699871234|",
		"asset_key: |7c1f9e3a5b28d046|",
		"dedupe_key = \"|7c1f9e3a5b28d046|\"",
		"shard_key=|7c1f9e3a5b28d0467e1c9f3a5b28d046|",
		"secret: |Geheimnisverwaltung|",
		"PASS: |ld-x86-64/pr22791-1b|",
		"password = |v2.*[0-9]+_Name|",
		"kpasswd |464/tcp|",
		/* signs and digits of expressions, hashes and references */
		"password = \"|^(?=.*[A-Z])(?=.*\\d)[A-Za-z\\d@$!%*?&]{8,}$|\"",
		"password: \"|%env(resolve:DATABASE_PASSWORD)%|\"",
		"mapbox_token = '|pk.eyJ1IjoiYWNtZSJ9.q7ZvT2mLx9Kd7RwP4nBsc8|'",
		"password_hash = "
		"\"|7c1f9e3a5b28d0467e1c9f3a5b28d0467c1f9e3a5b28d0467e1c9f3a5b28d046|\"",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_neq(judge(texts[i]), DROP_NONE, "%s", texts[i]);
}

/* The markup of manual pages, other names, and templates within a value. */
Test(verdict, values_of_programs_and_their_manuals)
{
	static const char *const texts[] = {
		"--passwd=|DATEI9\\fP|",
		"{readpassphrase.3 => |readpassphrase.3bsd}|",
		"/etc/passwd:|eli:x:2098:1000:Eli|",
		"key_opt_password=\"|--x509keyfile=$RSYNC_SSL_KEY|\"",
		"$dsn = \"|DBI:Pg:dbname=orders7|\"",
		"sign('', 'test_secret') => '|f7f9bd47fb987337b5796fdc1fdb9ba221d0d5396814bfca|'",
		"ResetPassword = \"|identitytoolkit#ResetPasswordResponse|\"",
		"clientRequestToken: |q7ZvT2mLx9Kd7RwP4nBs|",
		"webhookKey: \"|my_webhookKey|\"",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_neq(judge_rule(&assign, "manual.1", texts[i]).drop, DROP_NONE,
		              "%s", texts[i]);
	cr_expect_neq(judge_rule(&assign, "x/conditional.py",
	                         "\"HAS_PSK\": |cryptography_has_psk_tlsv13|,")
	                      .drop,
	              DROP_NONE);
}

Test(verdict, tags_allow_a_line)
{
	static const char *const tags[] = {
		"vaultctl:allow",       "gitleaks:allow", "trufflehog:ignore",
		"kingfisher:ignore",    "ggignore",       "pragma: allowlist secret",
		"vaultctl:allow assign"
	};
	char text[128];

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		snprintf(text, sizeof(text), "db_password = |Tq7vz2Lm9xw| # %s", tags[i]);
		cr_assert_eq(judge(text), DROP_ALLOW_LINE, "%s", text);
		snprintf(text, sizeof(text), "# %s\ndb_password = |Tq7vz2Lm9xw|",
		         tags[i]);
		cr_assert_eq(judge(text), DROP_ALLOW_LINE, "%s", text);
		snprintf(text, sizeof(text), "# %s\n\ndb_password = |Tq7vz2Lm9xw|",
		         tags[i]);
		cr_assert_eq(judge(text), DROP_NONE, "%s", text);
	}
	cr_assert_neq(judge("db_password = |Tq7vz2Lm9xw| # vaultctl:allow assign-strict"),
	              DROP_ALLOW_LINE, "a longer id");
	cr_assert_eq(judge("db_password = |Tq7vz2Lm9xw| <!-- vaultctl:allow assign-->"),
	             DROP_ALLOW_LINE);
	cr_assert_eq(judge("db_password = |Tq7vz2Lm9xw| # vaultctl:allow other-rule"),
	             DROP_NONE);
}

Test(verdict, a_wrong_checksum_counts_where_it_is_verified)
{
	struct rule rule = { .id = (char *)"t",
		             .validator = (char *)"crc32-base62:4",
		             .charset = CHARSET_ALNUM,
		             .confidence = CONFIDENCE_HIGH,
		             .verified = true };

	cr_assert_eq(judge_rule(&rule, "x", "|abc_hello0zNvy2|").drop, DROP_NONE);
	cr_assert_eq(judge_rule(&rule, "x", "|abc_hello0zNvy2|").validity,
	             VALIDITY_VALID);
	cr_assert_eq(judge_rule(&rule, "x", "|abc_hello0zNvy3|").drop, DROP_LOOKALIKE);
	/* Not verified, it says nothing: the text decides. */
	rule.verified = false;
	cr_assert_eq(judge_rule(&rule, "x", "|abc_q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_NONE);
	cr_assert_eq(judge_rule(&rule, "x", "|abc_q7ZvT2mLx9Kd7RwP4nBs|").validity,
	             VALIDITY_NONE);
}

Test(verdict, a_part_of_a_run_is_no_token)
{
	struct rule rule = { .id = (char *)"t",
		             .validator = (char *)"",
		             .charset = CHARSET_BASE64,
		             .confidence = CONFIDENCE_HIGH };

	cr_assert_eq(judge_rule(&rule, "x", "|q7ZvT2mLx9Kd7RwP4nBs|").drop, DROP_NONE);
	cr_assert_eq(judge_rule(&rule, "x", "|q7ZvT2mLx9Kd7RwP4nBs|A").drop,
	             DROP_STRUCTURE);
	cr_assert_eq(judge_rule(&rule, "x", "|q7ZvT2mLx9Kd7RwP4nBs|/A").drop,
	             DROP_STRUCTURE);
	cr_assert_eq(judge_rule(&rule, "x", "A|q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_STRUCTURE);
	cr_assert_eq(judge_rule(&rule, "x", "\\n|q7ZvT2mLx9Kd7RwP4nBs|\"").drop,
	             DROP_NONE);
}

Test(verdict, keywords_and_files)
{
	static char *word[] = { (char *)"twilio" }, *glob[] = { (char *)"*.env" };
	struct rule rule = {
		.id = (char *)"t",
		.validator = (char *)"",
		.keywords = {word, 1},
		.within = 20,
		.lines = 2,
		.confidence = CONFIDENCE_MEDIUM
	};

	cr_assert_eq(judge_rule(&rule, "x", "TWILIO=|q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_NONE);
	cr_assert_eq(judge_rule(&rule, "x", "twilio\na\n|q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_NONE);
	cr_assert_eq(judge_rule(&rule, "x", "twilio\na\nb\n|q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_CONTEXT);
	rule.keywords.n = 0;
	rule.files = (struct texts){ glob, 1 };
	cr_assert_eq(judge_rule(&rule, "a/b.env", "|q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_NONE);
	cr_assert_eq(judge_rule(&rule, "a/b.txt", "|q7ZvT2mLx9Kd7RwP4nBs|").drop,
	             DROP_CONTEXT);
}

Test(verdict, names)
{
	static const struct {
		const char *line, *name;
		enum keyname is;
	} rows[] = {
		{"dbPassword = ",                 "db_password",      KEYNAME_PASSWORD},
		{ "DB_PASSWORD_FILE=",            "db_password_file", KEYNAME_OTHER   },
		{ "\"client-secret\": \"",        "client_secret",    KEYNAME_TOKEN   },
		{ "os.environ[\"API_TOKEN\"] = ", "api_token",        KEYNAME_TOKEN   },
		{ "const passwordHint = ",        "password_hint",    KEYNAME_OTHER   },
		{ "monkey = ",                    "monkey",           KEYNAME_OTHER   },
		{ "HTTPApiKey: ",                 "http_api_key",     KEYNAME_TOKEN   },
		{ "jwt_custom_key: ",             "jwt_custom_key",   KEYNAME_KEY     },
		{ "timeout = ",                   "",                 KEYNAME_OTHER   },
		{ "ssh_public_key = ",            "ssh_public_key",   KEYNAME_OTHER   },
	};
	char name[KEYNAME_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		keyname_before(rows[i].line, strlen(rows[i].line), name);
		cr_assert_str_eq(name, rows[i].name);
		cr_assert_eq(keyname_class(name), rows[i].is, "%s: %d", name,
		             keyname_class(name));
	}
}

/* Words count where they are whole: of one part of a name, or of several. */
Test(verdict, words_of_names)
{
	static const struct {
		const char *name;
		enum keyname is;
	} rows[] = {
		{"foreign_key",           KEYNAME_OTHER   },
		{ "my_foreign_key_of",    KEYNAME_OTHER   },
		{ "foreign_keys",         KEYNAME_KEY     },
		{ "aforeign_key",         KEYNAME_KEY     },
		{ "token_code_length",    KEYNAME_OTHER   },
		{ "token_code_lengths",   KEYNAME_TOKEN   },
		{ "db_pass_phrase",       KEYNAME_PASSWORD},
		{ "dbpass",               KEYNAME_PASSWORD},
		{ "adminpwd",             KEYNAME_PASSWORD},
		{ "pwd",                  KEYNAME_PASSWORD},
		{ "spin",                 KEYNAME_OTHER   },
		{ "user_pin",             KEYNAME_PASSWORD},
		{ "idtoken",              KEYNAME_TOKEN   },
		{ "db_password_default",  KEYNAME_PASSWORD},
		{ "db_password_defaults", KEYNAME_PASSWORD},
		{ "etc_passwd",           KEYNAME_OTHER   },
		{ "",                     KEYNAME_OTHER   },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(keyname_class(rows[i].name), rows[i].is, "%s: %d",
		             rows[i].name, keyname_class(rows[i].name));
	cr_expect(keyname_of_uuid("my_client_secret"));
	cr_expect_not(keyname_of_uuid("client_secret_id"));
}

/* The same, counted one by one. */
Test(verdict, entropy_of_a_shape)
{
	static const char *const texts[] = { "", "a", "aAbB09 -\xff", "aaaaaaaaaab",
		                             "q7ZvT2mLx9Kd7RwP4nBs" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const size_t n = strlen(texts[i]);
		size_t seen[256] = { 0 }, distinct = 0;
		double entropy = 0;
		struct shape shape;

		for (size_t k = 0; k < n; k++)
			distinct += seen[(unsigned char)texts[i][k]]++ == 0;
		for (size_t c = 0; c < 256; c++)
			if (seen[c] > 0)
				entropy -= (double)seen[c] / (double)n *
				           log2((double)seen[c] / (double)n);
		shape_of(texts[i], n, &shape);
		cr_expect_eq(shape.distinct, distinct);
		cr_expect_float_eq(shape.entropy, entropy, 1e-9);
	}
}

Test(verdict, classes_of_a_shape)
{
	struct shape shape;

	shape_of(S("aAbfgGFZz09 \t-@[`{/:\xff"), &shape);
	cr_expect(shape.lower == 5 && shape.upper == 4 && shape.digit == 2);
	cr_expect(shape.space == 2 && shape.high == 1 && shape.sign == 7);
	cr_expect_eq(shape.hex, 7);
}

/* Their last word says what they are, whatever comes before. */
Test(verdict, names_that_end_in_a_secret)
{
	static const char *const passwords[] = {
		"keystone_password", "ssh_host_password",      "request_passphrase",
		"db_password_test",  "admin_password_default", "monkey_passwd"
	};
	static const char *const tokens[] = {
		"authentication_token", "csrf_secret",
		"keystone_token",       "passport_personal_access_client_secret",
		"hashids_salt",         "rabbitmq_erlang_cookie",
	};
	static const char *const none[] = { "csrf_token",         "xsrf_token",
		                            "next_page_token",    "next_token",
		                            "page_token",         "continuation_token",
		                            "public_token",       "password_hint",
		                            "client_secret_name", "encrypted_secret",
		                            "hashed_password",    "change_password",
		                            "token_test",         "idempotency_token" };

	for (size_t i = 0; i < sizeof(passwords) / sizeof(*passwords); i++)
		cr_expect_eq(keyname_class(passwords[i]), KEYNAME_PASSWORD, "%s",
		             passwords[i]);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++)
		cr_expect_eq(keyname_class(tokens[i]), KEYNAME_TOKEN, "%s", tokens[i]);
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		cr_expect_eq(keyname_class(none[i]), KEYNAME_OTHER, "%s", none[i]);
}

Test(verdict, randomness)
{
	static const char *const random[] = { "q7ZvT2mLx9Kd7RwP4nBs", "qwzrtplkmnvx",
		                              "7c1f9e3a5b28d0467e1c9f3a5b28d046" };
	static const char *const words[] = { "existingSubscription",
		                             "AuthenticationToken", "CORRECTHORSEBATTERY",
		                             "registry-credentials",
		                             "aaaaaaaaaaaaaaaaaaaa" };
	struct shape shape;

	for (size_t i = 0; i < sizeof(random) / sizeof(*random); i++) {
		shape_of(S(random[i]), &shape);
		cr_assert(shape_random(&shape), "%s", random[i]);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		shape_of(S(words[i]), &shape);
		cr_assert_not(shape_random(&shape), "%s", words[i]);
	}
	shape_of("", 0, &shape);
	cr_assert_not(shape_random(&shape));
}

Test(verdict, placeholders)
{
	cr_assert(placeholder_redacted(S("ghp_xxxxxxxxxxxx")));
	cr_assert(placeholder_redacted(S("[REDACTED]")));
	cr_assert(placeholder_reference(S("{{ vault_password }}")));
	cr_assert(placeholder_reference(S("%DB_PASSWORD%")));
	cr_assert(placeholder_reference(S("op://prod/db/password")));
	cr_assert_not(placeholder_reference(S("pa$$word!71x")));
	cr_assert(placeholder_words(S("your-api-key-here")));
	cr_assert_not(placeholder_words(S("Tq7vz2Lm9xw")));
	cr_assert(placeholder_pattern(S("abcdefgh12345678")));
	cr_assert(placeholder_pattern(S("deadbeefdeadbeef")));
	cr_assert(placeholder_sample(S("AKIAIOSFODNN7"
	                               "EXAMPLE")));
	cr_assert(placeholder_sample(S("2YotnFZFEjr1zCsicMWpAA")));
	cr_assert(placeholder_public(S("pk_live_q7ZvT2mLx9Kd7RwP4nBs")));
}

Test(verdict, structures)
{
	char pass[STRUCTURE_PAIR_MAX];
	size_t n;
	char pem[] = "-----BEGIN "
		     "PRIVATE KEY-----\n"
		     "MC4CAQAwBQYDK2VwBCIEINTrOhKq9msaqWTJe6pJzkL8QzW1Tn2Zwvf3s1jH5mZT\n"
		     "-----END "
		     "PRIVATE KEY-----\n";

	cr_assert(structure_jwt(S("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2ln")));
	cr_assert_not(structure_jwt(S("eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.")));
	cr_assert(structure_pair(S("Y2k6cjhXcTJMdjlYdA=="), pass, &n));
	cr_assert_eq(n, 10);
	cr_assert_not(structure_pair(S("ZG9ja2VyaHVi"), pass, &n), "no colon");
	cr_assert_eq(structure_pem(S(pem)), STRUCTURE_KEY_PLAIN);
	pem[strlen("-----BEGIN PRIVATE KEY-----\n") + 1] = 'z';
	cr_assert_eq(structure_pem(S(pem)), STRUCTURE_KEY_NONE, "no sequence");
	cr_assert_eq(structure_pem(S("-----BEGIN RSA "
	                             "PRIVATE KEY-----\")")),
	             STRUCTURE_KEY_NONE);
	cr_assert_eq(structure_aws_account(S("ASIAQNZGKIQY56JQ7WML")), 29608264753);
	cr_assert_eq(structure_aws_account(S("AKIAIOSFODNN7QQQQQQQ")), 0, "older");
	cr_assert(structure_curve_key(
		S("0x0000000000000000000000000000000000000000000000000000000000000001")));
	cr_assert_not(structure_curve_key(
		S("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")));
}

Test(verdict, texts_by_their_first_bytes)
{
	const char *const *const texts[ASCII_FIRSTS] = {
		[ASCII_FIRST('a')] = ASCII_TEXTS("auth", "api"),
		[ASCII_FIRST('.')] = ASCII_TEXTS("..."),
		[ASCII_FIRST('\xe2')] = ASCII_TEXTS("\xe2\x80\xa6"),
	};

	cr_assert(ascii_starts_any("Api_key", 7, texts));
	cr_assert(ascii_starts_any("AUTH", 4, texts));
	cr_assert_not(ascii_starts_any("AUTH", 3, texts));
	cr_assert_not(ascii_starts_any("Abc", 3, texts));
	cr_assert_not(ascii_starts_any("", 0, texts));
	cr_assert(ascii_find_any("my api", 6, texts));
	cr_assert(ascii_find_any("x...", 4, texts));
	cr_assert(ascii_find_any("x\xe2\x80\xa6", 4, texts));
	cr_assert_not(ascii_find_any("x..", 3, texts));
	cr_assert_not(ascii_find_any("my api", 5, texts));
	cr_assert_eq(ascii_count("a.b.c\xa2", 6, ".c\xa2"), 4);
	cr_assert_eq(ascii_count("\0x", 2, "."), 0);
}

Test(verdict, every_validator_of_the_rules_is_known)
{
	cr_assert(validator_known("crc32-base62:4"));
	cr_assert(validator_known("base64-json@4"));
	cr_assert_not(validator_known("crc33"));
	cr_assert_not(validator_known(""));
	cr_assert(ascii_glob("*.ENV", "a/b.env"));
	cr_assert_not(ascii_glob("*.env", "a/b.envx"));
	cr_assert(ascii_glob("*.env*", "a/b.envx"));
	cr_assert(ascii_glob("a*b*C", "a/b.b/c"));
	cr_assert_not(ascii_glob("a*b*c", "a/b.b/cb"));
	cr_assert(ascii_glob("", "") && ascii_glob("*", ""));
	cr_assert_not(ascii_glob("", "a") || ascii_glob("a", ""));
}
