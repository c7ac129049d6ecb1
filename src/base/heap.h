/* SPDX-License-Identifier: MIT */
/* An intrusive pairing heap: the node with the least key first; of equal keys in no order. All zero
 * is empty. Whoever changes a heap holds what guards it. Source: Fredman, Sedgewick, Sleator and
 * Tarjan, "The pairing heap", 1986. */
#ifndef HKTI_BASE_HEAP_H
#define HKTI_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hkti_heap_node {
    int64_t key;
    struct hkti_heap_node *child, *next; /* its first child; the next of its siblings */
    struct hkti_heap_node *before;       /* the sibling before it, or its parent; NULL: the first */
};

struct hkti_heap {
    struct hkti_heap_node *first;
};

/* Two heaps made one; either may be NULL. */
static inline struct hkti_heap_node *hkti_heap_meld(struct hkti_heap_node *a,
                                                    struct hkti_heap_node *b)
{
    if (a == NULL || b == NULL)
        return a ? a : b;
    if (b->key < a->key) {
        struct hkti_heap_node *less = b;
        b = a;
        a = less;
    }
    b->next = a->child;
    b->before = a;
    if (a->child)
        a->child->before = b;
    a->child = b;
    a->next = a->before = NULL;
    return a;
}

/* A list of siblings made one heap: in pairs from the left, then those from the right. */
static inline struct hkti_heap_node *hkti_heap_merge(struct hkti_heap_node *list)
{
    struct hkti_heap_node *pairs = NULL;
    while (list) {
        struct hkti_heap_node *a = list, *b = a->next;
        list = b ? b->next : NULL;
        a->next = a->before = NULL;
        if (b)
            b->next = b->before = NULL;
        a = hkti_heap_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct hkti_heap_node *all = NULL;
    while (pairs) {
        struct hkti_heap_node *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        all = hkti_heap_meld(all, pair);
    }
    return all;
}

static inline void hkti_heap_insert(struct hkti_heap *heap, struct hkti_heap_node *node)
{
    node->child = node->next = node->before = NULL;
    heap->first = hkti_heap_meld(heap->first, node);
}

/* Takes out a node that is in. */
static inline void hkti_heap_remove(struct hkti_heap *heap, struct hkti_heap_node *node)
{
    if (node == heap->first) {
        heap->first = hkti_heap_merge(node->child);
    } else {
        if (node->before->child == node)
            node->before->child = node->next;
        else
            node->before->next = node->next;
        if (node->next)
            node->next->before = node->before;
        heap->first = hkti_heap_meld(heap->first, hkti_heap_merge(node->child));
    }
    node->child = node->next = node->before = NULL;
}

#endif
