/* party.c - see party.h: what needs nothing of its connections; the rest is httpd.c's. */
#include "web/party.h"

void fn_http_party_init(struct fn_http_party *p, uint64_t peer, void (*left)(struct fn_http_party *p), void (*release)(struct fn_http_party *p))
{
	*p = (struct fn_http_party){.refs = 1, .peer = peer, .left = left, .release = release};
	fn_list_init(&p->conns);
	fn_list_init(&p->held);
}

void fn_http_party_unref(struct fn_http_party *p)
{
	if (p && --p->refs == 0)
		p->release(p);
}

void fn_http_party_hold(struct fn_http_party *p) { p->holds = true; }
