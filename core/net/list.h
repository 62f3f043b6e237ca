/* Intrusive doubly linked list; a link that is in no list points to itself or is zero.
 *
 *     struct pl__list all;  pl__list_init(&all);
 *     pl__list_append(&all, &thing->link);
 *     for (struct pl__list *l = all.next; l != &all; l = l->next) ...
 *     pl__list_remove(&thing->link);            // also fine when it is in none
 *
 * Owned by one loop. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct pl__list {
    struct pl__list *prev, *next;
};

#define PL__CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void pl__list_init(struct pl__list *l) { l->prev = l->next = l; }

static inline bool pl__list_empty(const struct pl__list *l)
{
    return l->next == l || l->next == NULL;
}

static inline void pl__list_remove(struct pl__list *l)
{
    if (l->next) {
        l->prev->next = l->next;
        l->next->prev = l->prev;
    }
    l->prev = l->next = NULL;
}

static inline void pl__list_append(struct pl__list *list, struct pl__list *l)
{
    l->prev = list->prev;
    l->next = list;
    list->prev->next = l;
    list->prev = l;
}
