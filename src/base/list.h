/* SPDX-License-Identifier: MIT */
/* An intrusive circular list. The head is a node too: all zero is an empty list, and so is a head
 * that points to itself. A node that is in no list has a NULL `next`. Whoever changes a list holds
 * what guards it. */
#ifndef HKTI_BASE_LIST_H
#define HKTI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct hkti_node {
    struct hkti_node *next, *prev;
};

/* The struct that has this node as its `member`. */
#define HKTI_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline bool hkti_list_empty(const struct hkti_node *head)
{
    return head->next == NULL || head->next == head;
}

/* Between `prev` and what follows it. */
static inline void hkti_list_insert(struct hkti_node *prev, struct hkti_node *node)
{
    node->prev = prev;
    node->next = prev->next;
    prev->next->prev = node;
    prev->next = node;
}

static inline void hkti_list_append(struct hkti_node *head, struct hkti_node *node)
{
    if (head->next == NULL)
        head->next = head->prev = head;
    hkti_list_insert(head->prev, node);
}

static inline void hkti_list_prepend(struct hkti_node *head, struct hkti_node *node)
{
    if (head->next == NULL)
        head->next = head->prev = head;
    hkti_list_insert(head, node);
}

static inline void hkti_list_remove(struct hkti_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/* The first node, taken out; NULL if there is none. */
static inline struct hkti_node *hkti_list_pop(struct hkti_node *head)
{
    if (hkti_list_empty(head))
        return NULL;
    struct hkti_node *node = head->next;
    hkti_list_remove(node);
    return node;
}

#endif
