/* list.h - intrusive doubly linked list. A link not on a list has next == NULL. */
#ifndef FN_BASE_LIST_H
#define FN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct fn_list {
	struct fn_list *next, *prev;
};

static inline void fn_list_init(struct fn_list *head) { head->next = head->prev = head; }
static inline bool fn_list_empty(const struct fn_list *head) { return head->next == head; }
static inline bool fn_list_linked(const struct fn_list *link) { return link->next != NULL; }
static inline void fn_list_insert_after(struct fn_list *pos, struct fn_list *link)
{
	link->prev = pos;
	link->next = pos->next;
	pos->next->prev = link;
	pos->next = link;
}
static inline void fn_list_push_front(struct fn_list *head, struct fn_list *link) { fn_list_insert_after(head, link); }
static inline void fn_list_push_back(struct fn_list *head, struct fn_list *link) { fn_list_insert_after(head->prev, link); }
/* Harmless on a link that is on no list. */
static inline void fn_list_remove(struct fn_list *link)
{
	if (!link->next)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}
/* All of `from` to `to`, which is overwritten; `from` is empty then. */
static inline void fn_list_take_over(struct fn_list *to, struct fn_list *from)
{
	fn_list_insert_after(from->prev, to);
	fn_list_remove(from);
	fn_list_init(from);
}
/* All of `from` behind what is in `head`. */
static inline void fn_list_append(struct fn_list *head, struct fn_list *from)
{
	if (fn_list_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	fn_list_init(from);
}
static inline struct fn_list *fn_list_first(struct fn_list *head) { return fn_list_empty(head) ? NULL : head->next; }
static inline struct fn_list *fn_list_last(struct fn_list *head) { return fn_list_empty(head) ? NULL : head->prev; }

#define fn_list_entry(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))
#define fn_list_for_each(pos, head) for (struct fn_list *pos = (head)->next; pos != (head); pos = pos->next)
/* the current entry may be removed */
#define fn_list_for_each_safe(pos, head) \
	for (struct fn_list *pos = (head)->next, *pos##_next = pos->next; pos != (head); pos = pos##_next, pos##_next = pos->next)

#endif
