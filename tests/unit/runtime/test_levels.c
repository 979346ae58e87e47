#include "runtime/levels.h"

#include <string.h>

#include "unit/main.h"

START_TEST(times)
{
	static const char *const valid[] = {"2024-11-02T16:51:31.587199Z", "2024-11-02T16:51:31Z", "2024-02-29t23:59:60z", "1996-12-19T16:39:57-08:00", "2000-02-29T00:00:00.1+00:00"};
	static const char *const invalid[] = {"", "2024", "2024-11-02", "2024-11-02T16:51:31", "2024-11-02 16:51:31Z", "2024-11-02T16:51:31,587Z", "2024-11-02T16:51:31.Z", "2024-11-02T16:51:31+0000",
					      "2024-11-02T16:51:31Zx", "2024-11-02T16:51Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-00-01T00:00:00Z", "2024-13-01T00:00:00Z",
					      "2024-11-00T00:00:00Z", "2024-11-02T24:00:00Z", "2024-11-02T00:60:00Z", "2024-11-02T00:00:61Z", "2024-11-02T00:00:00+24:00", "2024-11-02T00:00:00-01:60", "1730566291"};

	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		ck_assert_msg(fn_level_is_time(valid[i], strlen(valid[i])), "%s", valid[i]);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		ck_assert_msg(!fn_level_is_time(invalid[i], strlen(invalid[i])), "%s", invalid[i]);
	ck_assert(!fn_level_is_time("2024-11-02T16:51:31\0Z", 21));
}
END_TEST

START_TEST(lines)
{
	static const struct {
		const char *line;
		enum fn_level level;
	} told[] = {{"{\"level\": \"debug\", \"msg\": \"my debug log\", \"timestamp\": \"2024-11-02T16:51:31.587199Z\"}\n", FN_LEVEL_DEBUG},
		    {"{\"time\":\"2024-11-02T16:51:31Z\",\"level\":\"ERROR\"}", FN_LEVEL_ERROR},
		    {"{\"@timestamp\":\"2024-11-02T16:51:31Z\",\"level\":\"Warning\"}", FN_LEVEL_WARN},
		    {"{\"timestamp\":\"2024-11-02T16:51:31Z\",\"level\":\"loud\"}", FN_LEVEL_INFO},
		    {"{\"timestamp\":\"2024-11-02T16:51:31Z\"}", FN_LEVEL_INFO},
		    {"{\"level\":\"ERROR\"}", FN_LEVEL_INFO},
		    {"{\"level\":\"ERROR\",\"timestamp\":\"yesterday\"}", FN_LEVEL_INFO},
		    {"{\"level\":\"TRACE\",\"timestamp\":1730566291}", FN_LEVEL_INFO},
		    {"{\"level\":\"TRACE\",\"a\":{\"timestamp\":\"2024-11-02T16:51:31Z\"}}", FN_LEVEL_INFO},
		    {"level ERROR", FN_LEVEL_INFO}};

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		ck_assert_msg(fn_level_of_line(told[i].line, strlen(told[i].line)) == told[i].level, "%s", told[i].line);
}
END_TEST

TEST_MAIN("runtime/levels", times, lines)
