/* receive.c - see receive.h. */
#include "api/receive.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "api/layer_coming.h"
#include "base/cleanup.h"
#include "image/digest.h"
#include "model/limits.h"
#include "web/origin.h"

#define SHORT 65536u /* is hashed at once */

/* What a request has with it while its body comes, and until its reply. */
struct receiving {
	struct fn_api *api;
	struct fn_http_req *req;
	struct fn_package *package;
	struct fn_layer_coming *layer;
	bool is_layer;
	void (*go_on)(void *arg, struct fn_http_req *req);
	bool hashes;
	struct sha256_ctx sha; /* of a body that is kept, until it is asked for: */
	char sha256[65];
	bool worked_through;
	void *kept; /* fn_receive_keep() */
	void (*release_kept)(void *kept);
};

static struct receiving *of(const struct fn_http_req *req) { return fn_http_req_user(req); }

static void release(void *user)
{
	struct receiving *r = user;

	fn_package_free(r->package);
	fn_layer_coming_free(r->layer);
	if (r->release_kept)
		r->release_kept(r->kept);
	free(r);
}

static bool is_signed(const struct fn_api *api, const struct fn_http_req *req)
{
	enum fn_proof proof = fn_proof_wanted(req, api->cfg.n_credentials);

	return proof == FN_PROOF_SIGNATURE || (proof == FN_PROOF_SANDBOX && fn_request_signed(req));
}

/* Is there something that its head alone says against it? It is told when it is answered. */
static bool refused(struct fn_api *api, struct fn_http_req *req)
{
	const struct fn_api_config *cfg = &api->cfg;
	fn_auto_buf struct fn_buf why = {0};

	switch (fn_proof_wanted(req, cfg->n_credentials)) {
	case FN_PROOF_ORIGIN:
		return fn_origin_fault(req, cfg->hosts, cfg->n_hosts) != NULL;
	case FN_PROOF_SIGNATURE:
		return fn_sigv4_before(api, req, &why) != NULL;
	case FN_PROOF_SANDBOX:
		return !fn_request_signed(req) && fn_origin_fault(req, cfg->hosts, cfg->n_hosts);
	case FN_PROOF_NONE:
		break;
	}
	return false;
}

static void on_drained(void *arg)
{
	struct receiving *r = arg;

	fn_http_req_resume(r->req);
}

static bool begin_package(struct receiving *r, const struct fn_receive_to *to)
{
	const struct fn_package_spec spec = {.path = {to->package[0], to->package[1]}, .max = to->package_max, .body_digest = is_signed(r->api, r->req),
					     .drained = on_drained, .arg = r};

	return fn_package_new(r->api->cfg.packages, &spec, &r->package) == 0;
}

/* A layer that cannot be taken is answered so by its handler. */
static int begin(struct receiving *r, const struct fn_receive_to *to)
{
	r->is_layer = to->layer;
	if (to->layer)
		r->layer = fn_layer_coming_new(r->api, to->layer, on_drained, r);
	return !to->package || begin_package(r, to) ? 0 : -ENOMEM;
}

size_t fn_receive_begin(struct fn_api *api, struct fn_http_req *req, size_t max, const struct fn_receive_to *to)
{
	bool here = fn_http_req_body_here(req);
	struct receiving *r;

	if (!here && refused(api, req)) {
		fn_http_req_take(req, FN_H1_NOTHING);
		return max;
	}
	if (!to->package && !to->layer && (!is_signed(api, req) || here || fn_http_req_body_left(req) <= SHORT))
		return max;
	r = calloc(1, sizeof(*r));
	if (!r)
		return 0;
	r->api = api;
	r->req = req;
	r->hashes = true;
	sha256_init(&r->sha);
	if (begin(r, to) < 0) {
		free(r);
		return 0;
	}
	fn_http_req_set_user(req, r, release);
	fn_http_req_take(req, to->package || to->layer ? FN_H1_PIECES : FN_H1_BOTH);
	return max;
}

void fn_receive_piece(void *arg, struct fn_http_req *req, const char *data, size_t len)
{
	struct receiving *r = of(req);

	(void)arg;
	if (r->layer && fn_layer_coming_add(r->layer, data, len))
		fn_http_req_pause(req);
	if (!r->package)
		sha256_update(&r->sha, len, (const uint8_t *)data);
	else if (fn_package_add(r->package, data, len))
		fn_http_req_pause(req);
}

void fn_receive_cut(void *arg, struct fn_http_req *req)
{
	(void)arg;
	(void)req; /* what it has with it goes with it: release() */
}

static void on_worked_through(void *arg)
{
	struct receiving *r = arg;

	r->worked_through = true;
	r->go_on(r->api, r->req);
}

bool fn_receive_waits(struct fn_api *api, struct fn_http_req *req, void (*go_on)(void *arg, struct fn_http_req *req))
{
	struct receiving *r = of(req);

	(void)api;
	if (!r || (!r->package && !r->layer) || r->worked_through || fn_http_req_unread(req) || fn_http_req_too_large(req))
		return false;
	r->go_on = go_on;
	if (r->package)
		fn_package_end(r->package, on_worked_through, r);
	else
		fn_layer_coming_end(r->layer, on_worked_through, r);
	return true;
}

struct fn_package *fn_receive_package(const struct fn_http_req *req) { return of(req) ? of(req)->package : NULL; }

const struct fn_layer_coming *fn_receive_layer(const struct fn_http_req *req) { return of(req) ? of(req)->layer : NULL; }

void fn_receive_body(const struct fn_http_req *req, const char **ret_data, size_t *ret_len)
{
	const struct fn_package *p = fn_receive_package(req);

	if (!p) {
		fn_http_req_body(req, ret_data, ret_len);
		return;
	}
	*ret_data = fn_package_result(p)->rest;
	*ret_len = fn_package_result(p)->rest_len;
}

void fn_receive_sha256(const struct fn_http_req *req, char out[65])
{
	struct receiving *r = of(req);
	const char *body;
	size_t len;

	if (r && r->package) {
		memcpy(out, fn_package_result(r->package)->body_sha256, 65);
	} else if (r && r->hashes) {
		if (!*r->sha256)
			fn_sha256_end(&r->sha, r->sha256);
		memcpy(out, r->sha256, sizeof(r->sha256));
	} else {
		fn_http_req_body(req, &body, &len);
		fn_sha256_hex(body, len, out);
	}
}

int fn_receive_keep(struct fn_api *api, struct fn_http_req *req, void *kept, void (*release_kept)(void *kept))
{
	struct receiving *r = of(req);

	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		r->api = api;
		r->req = req;
		fn_http_req_set_user(req, r, release);
	}
	r->kept = kept;
	r->release_kept = release_kept;
	return 0;
}

void *fn_receive_kept(const struct fn_http_req *req) { return of(req) ? of(req)->kept : NULL; }

bool fn_receive_taken(struct fn_call *call)
{
	const struct fn_package *p = fn_receive_package(call->req);
	const struct fn_package_result *r = p ? fn_package_result(p) : NULL;

	if (!r || r->error == 0)
		return true;
	if (r->error == -E2BIG)
		fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %u bytes beside its package", FN_PACKAGE_REST_MAX);
	else
		fn_reply_error(call, &FN_E_SERVICE, "%s: %s", r->what, strerror(-r->error));
	return false;
}
