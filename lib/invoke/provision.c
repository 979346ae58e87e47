/* provision.c - see provision.h. */
#include "invoke/provision.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define PAGE 50

int64_t fn_provision_share(const char *qualifier, const struct fn_alias *a, int64_t requested, const char *version)
{
	int64_t other;

	if (!a)
		return fn_streq(qualifier, version) ? requested : 0;
	other = a->other_version ? (int64_t)((double)requested * a->other_weight + 0.5) : 0;
	if (fn_streq(a->version, version))
		return requested - other;
	return fn_streq(a->other_version, version) ? other : 0;
}

static int64_t share(struct fn_store *s, const char *function, const struct fn_provisioned *p, const char *version)
{
	return fn_provision_share(p->qualifier, fn_store_alias(s, function, p->qualifier), p->requested, version);
}

void fn_provision_apply(struct fn_invoker *inv, struct fn_store *s, const char *function)
{
	struct fn_provisioned *const *configs;
	struct fn_function *page[PAGE];
	size_t n_configs, got;

	if (!fn_store_get(s, function, NULL)) {
		fn_invoker_forget(inv, function);
		return;
	}
	configs = fn_store_all_provisioned(s, function, &n_configs);
	fn_invoker_limits(inv, function, fn_store_reserved(s, function));
	for (got = fn_store_list_versions(s, function, NULL, NULL, page, PAGE); got > 0;
	     got = fn_store_list_versions(s, function, function, page[got - 1]->version, page, PAGE))
		for (size_t i = 0; i < got; i++) {
			int64_t n = 0;

			for (size_t k = 0; k < n_configs; k++)
				n += share(s, function, configs[k], page[i]->version);
			fn_invoker_provision(inv, page[i], (unsigned)n);
		}
}

void fn_provision_apply_all(struct fn_invoker *inv, struct fn_store *s)
{
	struct fn_function *page[PAGE];
	const char *after = NULL;
	size_t got;

	while ((got = fn_store_list(s, after, page, PAGE)) > 0) {
		for (size_t i = 0; i < got; i++)
			if (fn_store_claim(s, page[i]->name) > 0 || fn_store_reserved(s, page[i]->name) >= 0)
				fn_provision_apply(inv, s, page[i]->name);
		after = page[got - 1]->name;
	}
}

/* What a request for provisioned environments means for one version, and how its pool stands. */
struct share {
	int64_t want;
	struct fn_backend_provisioned pool;
};

/* Of the version itself, or of the one or two that the alias names; those with a share of it. Returns how many. */
static unsigned shares_of(struct fn_invoker *inv, struct fn_store *s, const char *function, const struct fn_provisioned *p, struct share ret[2])
{
	const struct fn_alias *a = fn_store_alias(s, function, p->qualifier);
	const char *versions[2] = {a ? a->version : p->qualifier, a ? a->other_version : NULL};
	unsigned n = 0;

	for (int i = 0; i < 2; i++) {
		struct fn_function *f = versions[i] ? fn_store_get(s, function, versions[i]) : NULL;

		ret[n].want = f ? fn_provision_share(p->qualifier, a, p->requested, f->version) : 0;
		if (ret[n].want == 0)
			continue;
		fn_invoker_provisioned(inv, f, &ret[n].pool);
		n++;
	}
	return n;
}

void fn_provision_state(struct fn_invoker *inv, struct fn_store *s, const char *function, const struct fn_provisioned *p,
			struct fn_provision_state *ret)
{
	struct share shares[2];
	unsigned n = shares_of(inv, s, function, p, shares);
	bool reached = true;

	*ret = (struct fn_provision_state){0};
	for (unsigned i = 0; i < n; i++) {
		const struct fn_backend_provisioned *st = &shares[i].pool;

		ret->available += st->ready < shares[i].want ? st->ready : shares[i].want;
		reached &= st->reached;
		if (st->failure[0])
			snprintf(ret->reason, sizeof(ret->reason), "%s", st->failure);
	}
	if (ret->reason[0])
		ret->status = FN_PROVISION_FAILED;
	else if (reached)
		ret->status = FN_PROVISION_READY;
}

int64_t fn_provision_in_use(struct fn_invoker *inv, struct fn_store *s, const char *function, const struct fn_provisioned *p)
{
	struct share shares[2];
	unsigned n = shares_of(inv, s, function, p, shares);
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += shares[i].pool.busy < shares[i].want ? shares[i].pool.busy : shares[i].want;
	return sum;
}

int64_t fn_provision_unreserved_least(unsigned account) { return account < 1000 ? account / 10 : 100; }

int64_t fn_provision_room(struct fn_store *s, const char *function, const char *qualifier, unsigned account)
{
	int64_t reserved = fn_store_reserved(s, function), others = fn_store_provisioned_sum(s, function, qualifier);

	if (reserved >= 0)
		return reserved - others;
	return account - fn_provision_unreserved_least(account) - (fn_store_claims(s) - fn_store_claim(s, function)) - others;
}
