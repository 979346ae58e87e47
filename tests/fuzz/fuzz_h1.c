/*
 * fuzz_h1.c - the request parser of lib/web/h1. Two bytes say how the rest is cut up; a connection's requests must come to the same cut up and
 * whole, bounds must hold, and what was understood must be clean: no control byte in a string, no body beyond its bound.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "web/h1.h"

#define BODY_MAX 64

static void note_string(struct fn_buf *out, const char *s)
{
	for (const char *p = s; *p; p++)
		fuzz_check(((unsigned char)*p >= ' ' && *p != 0x7f) || *p == '\t');
	fuzz_check(fn_buf_addf(out, "%s\n", s) == 0);
}

static void note(struct fn_buf *out, const struct fn_h1 *h, const struct fn_buf *pieces)
{
	const struct fn_buf *body = h->take == FN_H1_PIECES && !h->too_large ? pieces : &h->body;

	fuzz_check(*fn_h1_method(h) && *fn_h1_target(h));
	note_string(out, fn_h1_method(h));
	note_string(out, fn_h1_target(h));
	for (unsigned i = 1; i < h->n_fields; i++) {
		note_string(out, h->text.data + h->fields[i].name);
		note_string(out, h->text.data + h->fields[i].value);
	}
	fuzz_check(body->len <= BODY_MAX && !(h->too_large && h->body.len) && !(h->take == FN_H1_PIECES && h->body.len));
	if (h->take == FN_H1_BOTH && !h->too_large)
		fuzz_check(body->len == pieces->len && (!body->len || memcmp(body->data, pieces->data, body->len) == 0));
	fuzz_check(fn_buf_addf(out, "%d%d%d%d %u/%u\n", h->http10, h->close, h->expect, h->too_large, h->n_head, h->n_fields) == 0);
	fuzz_check(fn_buf_add(out, body->data, body->len) == 0);
}

/* All requests in data, given in pieces; what they came to. */
static void parse(const uint8_t *data, size_t size, size_t first, size_t piece, bool direct, enum fn_h1_take take, struct fn_buf *out)
{
	struct fn_buf pieces = {0};
	struct fn_h1 h;
	enum fn_h1_event e = FN_H1_MORE;
	bool head = false;

	fn_h1_init(&h);
	for (size_t at = 0, cut = first; e != FN_H1_BAD && (at < size || e != FN_H1_MORE);) {
		size_t give = (cut < size ? cut : size) - at, used = 0, space = 0;
		char *to = direct ? fn_h1_body_space(&h, &space) : NULL, *copy;

		if (to && give > 0) {
			used = give < space ? give : space;
			memcpy(to, data + at, used);
			fn_h1_body_got(&h, used);
			if (take == FN_H1_BOTH)
				fuzz_check(fn_buf_add(&pieces, data + at, used) == 0);
			at += used;
			give -= used;
		}
		copy = malloc(give + 1); /* exactly as long: an overrun shows */
		fuzz_check(copy != NULL);
		copy = realloc(copy, give ? give : 1);
		fuzz_check(copy != NULL);
		memcpy(copy, data + at, give);
		e = fn_h1_feed(&h, copy, give, &used);
		if (e == FN_H1_PIECE)
			fuzz_check(take != FN_H1_WHOLE && h.piece_len > 0 && fn_buf_add(&pieces, h.piece, h.piece_len) == 0);
		free(copy);
		fuzz_check(used <= give);
		at += used;
		switch (e) {
		case FN_H1_HEAD:
			fuzz_check(!head);
			head = true;
			h.body_max = BODY_MAX;
			h.take = take;
			break;
		case FN_H1_PIECE:
			break;
		case FN_H1_DONE:
			fuzz_check(head);
			head = false;
			note(out, &h, &pieces);
			fn_buf_reset(&pieces);
			fn_h1_reset(&h);
			break;
		case FN_H1_MORE:
			fuzz_check(used == give);
			cut = at + piece;
			break;
		case FN_H1_BAD:
			fuzz_check(h.refusal >= 400);
			fuzz_check(fn_buf_addf(out, "refused %u\n", h.refusal) == 0);
			break;
		}
	}
	fn_h1_free(&h);
	fn_buf_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fn_buf whole = {0}, cut = {0};
	struct fuzz_in in = {data, data + size};
	size_t first = fuzz_byte(&in) + 1u, piece = fuzz_byte(&in);

	size = (size_t)(in.end - in.p);
	parse(in.p, size, size + 1, 1, false, FN_H1_WHOLE, &whole);
	for (enum fn_h1_take take = FN_H1_WHOLE; take <= FN_H1_BOTH; take++) {
		fn_buf_reset(&cut);
		parse(in.p, size, first, (piece >> 1) + 1, piece & 1, take, &cut);
		fuzz_check(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, cut.len) == 0));
	}
	fn_buf_free(&whole);
	fn_buf_free(&cut);
	return 0;
}
