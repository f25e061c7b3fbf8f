/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"

TestSuite(duration, .timeout = 30);

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct err e;

struct parse_case {
	const char *text;
	int64_t ms;
};

/* Those with units are from Go's own table (time_test.go), in milliseconds. */
Test(duration, what_vault_reads)
{
	static const struct parse_case cases[] = {
		{"",			0				 },
		{ "0",                      0				 },
		{ "5",                      5 * SECOND                        },
		{ "3600",                   HOUR                              },
		{ "-5",                     -5 * SECOND                       },
		{ "1d",                     DAY			       },
		{ "30d",                    30 * DAY                          },
		{ "0s",                     0				 },
		{ "5s",                     5 * SECOND                        },
		{ "30s",                    30 * SECOND                       },
		{ "1478s",                  1478 * SECOND                     },
		{ "-5s",                    -5 * SECOND                       },
		{ "+5s",                    5 * SECOND                        },
		{ "-0",                     0				 },
		{ "+0",                     0				 },
		{ "5.0s",                   5 * SECOND                        },
		{ "5.6s",                   5600                              },
		{ "5.s",                    5 * SECOND                        },
		{ ".5s",                    500			       },
		{ "1.0s",                   1 * SECOND                        },
		{ "1.00s",                  1 * SECOND                        },
		{ "1.004s",                 1004                              },
		{ "1.0040s",                1004                              },
		{ "100.00100s",             100001                            },
		{ "10ns",                   0				 },
		{ "11us",                   0				 },
		{ "1500us",                 1				 },
		{ "12\xc2\xb5s",            0                                 },
		{ "12000\xce\xbcs",         12                                },
		{ "13ms",                   13				},
		{ "14s",                    14 * SECOND                       },
		{ "15m",                    15 * MINUTE                       },
		{ "16h",                    16 * HOUR                         },
		{ "3h30m",                  3 * HOUR + 30 * MINUTE            },
		{ "10.5s4m",                4 * MINUTE + 10500                },
		{ "-2m3.4s",                -(2 * MINUTE + 3400)              },
		{ "1h2m3s4ms5us6ns",        HOUR + 2 * MINUTE + 3 * SECOND + 4},
		{ "39h9m14.425s",           39 * HOUR + 9 * MINUTE + 14425    },
		{ "0.3333333333333333333h", 20 * MINUTE                       },
		{ "1.5h",                   90 * MINUTE                       },
		{ "0.9223372036854775807s", 922                               },
		{ "1h30m",                  90 * MINUTE                       },
		{ "9223372036s",            INT64_C(9223372036000)            },
		{ "2562047h",               INT64_C(9223369200000)            },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *s = cases[i].text;
		int64_t ms = -4711;

		cr_expect_eq(duration_parse(s, strlen(s), &ms, &e), ERR_OK, "'%s': %s", s,
		             e.msg);
		cr_expect_eq(ms, cases[i].ms, "'%s': %lld", s, (long long)ms);
	}
}

Test(duration, what_it_does_not)
{
	static const char *const bad[] = {
		"-",
		"+",
		"s",
		".",
		"-.",
		".s",
		"+.s",
		"1x",
		"1 s",
		" 1s",
		"1s ",
		"1S",
		"1H",
		"1h 30m",
		"1h30",
		"30m1",
		"1.5",
		"-1.5",
		"d",
		"-d",
		"1.5d",
		"1d2h",
		"1h1d",
		"1dd",
		"0x1s",
		"1e3s",
		"1,5s",
		"--1s",
		"+-1s",
		"1s-1s",
		"1..5s",
		"1\xc2s",
		"\xb5s",
		"1\xc2\xb5",
		"system",
		"1y",
		"1w",
		"9223372037",
		"9223372037s",
		"106752d",
		"9223372036854775808ns",
		"9223372036854775808",
		"18446744073709551616s",
		"2562047h48m",
		"99999999999999999999h",
		"9223372036854775807d",
		"1n",
		"1u",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms = -4711;

		cr_expect_eq(duration_parse(bad[i], strlen(bad[i]), &ms, &e), ERR_INVALID,
		             "'%s' -> %lld", bad[i], (long long)ms);
		cr_expect_eq(ms, -4711, "'%s': output touched", bad[i]);
	}
}

Test(duration, only_the_given_bytes_count)
{
	int64_t ms = 0;

	cr_assert_eq(duration_parse("15m30s", 3, &ms, &e), ERR_OK);
	cr_assert_eq(ms, 15 * MINUTE);
	cr_assert_eq(duration_parse("1s\0", 3, &ms, &e), ERR_INVALID);
}

/* Go's table for String(), in milliseconds. */
Test(duration, format_is_gos)
{
	static const struct parse_case cases[] = {
		{"0s",			 0				   },
		{ "1ms",                       1				   },
		{ "250ms",                     250				 },
		{ "999ms",                     999				 },
		{ "1s",			1000				},
		{ "1.5s",                      1500				},
		{ "2.2s",                      2200				},
		{ "2.004s",                    2004                                },
		{ "1m0s",                      MINUTE                              },
		{ "3m3.3s",                    3 * MINUTE + 3300                   },
		{ "3h25m19s",                  3 * HOUR + 25 * MINUTE + 19 * SECOND},
		{ "4m5.001s",                  4 * MINUTE + 5001                   },
		{ "5h6m7.001s",                5 * HOUR + 6 * MINUTE + 7001        },
		{ "1h0m0s",                    HOUR                                },
		{ "768h0m0s",                  32 * DAY                            },
		{ "-1.5s",                     -1500                               },
		{ "-250ms",                    -250                                },
		{ "-1h0m0s",                   -HOUR                               },
		{ "2562047788015h12m55.807s",  INT64_MAX                           },
		{ "-2562047788015h12m55.808s", INT64_MIN                           },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[DURATION_TEXT_MAX];

		duration_format(cases[i].ms, text);
		cr_expect_str_eq(text, cases[i].text);
	}
}

Test(duration, format_and_parse_are_inverse)
{
	for (int64_t ms = -3 * HOUR; ms < 40 * DAY;
	     ms = ms < 0 ? ms + 977 : ms + 1 + ms / 50) {
		char text[DURATION_TEXT_MAX];
		int64_t back = 0;

		duration_format(ms, text);
		cr_assert_eq(duration_parse(text, strlen(text), &back, &e), ERR_OK, "%s",
		             text);
		cr_assert_eq(back, ms, "%s", text);
	}
}
