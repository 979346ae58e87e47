/* order.c - an order for a sandbox: its root and its /tmp, and then a box in stock or a new one. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "spawn/internal.h"

/* To a box in stock, or a new one; false: none took it. */
static bool give_order(struct fn_spawn_server *s, const struct fn_box_order *order, bool fresh, struct fn_err *err)
{
	struct fn_box *b;

	for (int i = 0; i < 4 && !fresh; i++) { /* one that has died meanwhile is of no use; the next one may be */
		b = i < 2 && order->spec->kind[0] ? fn_stock_take(s, order->spec->kind) : NULL;
		if (!b)
			b = fn_stock_take(s, "");
		if (b && fn_box_order(b, order, err) == 0)
			return true;
		if (!b)
			break;
		fn_box_end(b);
	}
	b = fn_box_new(s, NULL, err);
	if (b && fn_box_order(b, order, err) == 0)
		return true;
	if (b)
		fn_box_end(b);
	return false;
}

void fn_spawn_order(struct fn_spawn_server *s, const struct fn_proto_header *h, const void *data, size_t len, enum fn_order_try how)
{
	uint64_t from = fn_clock_mono_us();
	fn_auto_fd int root = -EBADF;
	char *vec[FN_SPEC_VECTOR_MAX];
	struct fn_spec spec;
	struct fn_err err = {0};
	struct fn_box_order order = {.head = h, .spec = &spec, .encoded = data, .len = len, .from_us = from, .tmp_fd = -EBADF};
	int r = fn_spec_borrow(data, len, vec, &spec, &err);

	if (r == 0 && (spec.net == FN_NET_NAT) != (s->cfg.nat != NULL)) /* one network for all: it is made before the function is known */
		r = fn_err_set(&err, EOPNOTSUPP, "network", "%s is asked for and not configured", spec.net == FN_NET_NAT ? "nat" : "loopback");
	if (r == 0)
		r = root = fn_rootfs_get(s->cfg.rootfs, &spec, &err);
	if (r >= 0 && fn_tmps_on_disk(s->cfg.tmps) && !fn_kept_has(s, h->id)) {
		order.tmp = fn_tmps_take(s->cfg.tmps, spec.tmp_bytes, &err);
		if (!order.tmp && how != FN_ORDER_LAST && fn_parked_add(s, h, data, len, spec.tmp_bytes))
			return;
		r = order.tmp ? fn_tmp_take_mount(order.tmp) : -EAGAIN;
		order.tmp_fd = r;
	}
	if (r < 0) {
		fn_spawn_reply_err(s, h->request, &err);
		return;
	}
	order.root_fd = root;
	order.root_us = (uint32_t)(fn_clock_mono_us() - from);
	if (give_order(s, &order, how == FN_ORDER_FRESH, &err))
		return;
	fn_close(order.tmp_fd);
	fn_tmps_give(s->cfg.tmps, order.tmp);
	if ((err.code == EADDRNOTAVAIL || err.code == EUSERS) && (fn_stock_end_one(s) || fn_box_expects(s, err.code)) && fn_parked_add(s, h, data, len, 0))
		return;
	fn_spawn_reply_err(s, h->request, &err);
}
