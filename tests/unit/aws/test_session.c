/* Temporary credentials: what was claimed comes back, for its own key and with the secret of it alone. */
#include "aws/session.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "unit/main.h"

START_TEST(tokens)
{
	uint8_t secret[FN_SESSION_SECRET] = {1, 2, 3}, other[FN_SESSION_SECRET] = {1, 2, 4};
	char key[FN_SESSION_SECRET_KEY_SIZE], again[FN_SESSION_SECRET_KEY_SIZE];
	json_t *claims = json_pack("{ss,si}", "Role", "r", "Expires", 5), *back = NULL;
	fn_auto_free char *token = NULL;

	ck_assert_int_eq(fn_session_mint(secret, "ASIAAAAAAAAAAAAAAAAA", claims, &token, key), 0);
	ck_assert_uint_eq(strlen(key), 40);
	ck_assert_int_eq(fn_session_open(secret, "ASIAAAAAAAAAAAAAAAAA", token, &back, again), 0);
	ck_assert_str_eq(key, again);
	ck_assert(json_equal(claims, back));
	json_decref(back);
	ck_assert_int_eq(fn_session_open(secret, "ASIAAAAAAAAAAAAAAAAB", token, &back, again), -EBADMSG);
	ck_assert_int_eq(fn_session_open(other, "ASIAAAAAAAAAAAAAAAAA", token, &back, again), -EBADMSG);
	for (size_t i = 0; token[i] && token[i] != '='; i++) { /* no byte of it may be another */
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		if (i + 2 < strlen(token)) /* the last has bits that count for nothing */
			ck_assert_int_eq(fn_session_open(secret, "ASIAAAAAAAAAAAAAAAAA", token, &back, again), -EBADMSG);
		token[i] = was;
	}
	ck_assert_int_eq(fn_session_open(secret, "ASIAAAAAAAAAAAAAAAAA", "", &back, again), -EBADMSG);
	ck_assert_int_eq(fn_session_open(secret, "ASIAAAAAAAAAAAAAAAAA", "AAAA", &back, again), -EBADMSG);
	json_decref(claims);
}
END_TEST

TEST_MAIN("aws/session", tokens)
