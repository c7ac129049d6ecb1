/* SPDX-License-Identifier: MIT */
/* Context variables. A variable has a number that is never used again. A context is a list of
 * bindings, number to value, the last one set in front; lists share their ends: a node counts who
 * points to it, which are nodes, strands and contexts. So a copy is one reference more.
 *
 * A node that is reached through nodes with one reference each, its own included, is seen by this
 * strand alone, and may be changed in place. The others never change: a set copies those above the
 * old binding, of which there is one a variable (but see reset), and puts the new one in front. So
 * a list is as long as there are variables in it. The acquire with which the count is found to be 1
 * pairs with the release of who dropped the other reference: it has read for the last time.
 *
 * A reset needs no memory: the set has put a node in reserve. The reserves of a context are in its
 * head, a node without a binding in front of its list that is made when the first token is asked
 * for. The head is never shared: who holds the list holds what is behind the head. So it is also
 * what tells one context from another: a token knows the head's number, and that of its reserve. */
#include "thread/context.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/report.h"
#include "thread/thread.h"

struct hkti_context_node {
    uint32_t refs;
    bool bound;      /* of a reserve: the variable had a binding before */
    uint64_t number; /* of the variable; 0: a head */
    void *value;     /* of a reserve: the one before */
    struct hkti_context_node *next;
    uint64_t ticket; /* of a reserve: of the token */
};

struct head {
    struct hkti_context_node node;
    uint64_t number; /* of the context, never used again */
    uint64_t last_ticket;
    struct hkti_context_node *reserves; /* the last one first */
};

/* What hkt_context_token is; all zero has been used. */
struct __attribute__((may_alias)) token {
    uint64_t head;
    uint64_t ticket;
    uint64_t reserved[2];
};

_Static_assert(sizeof(struct token) == sizeof(hkt_context_token), "these are one");

struct hkt_context_var {
    uint64_t number;
    void *initial;
    char name[HKT_NAME_MAX];
};

struct hkt_context {
    struct hkti_context_node *list; /* of who runs it, while it is busy */
    uint32_t busy;
};

static uint64_t last_var, last_head;

static void release_chain(struct hkti_context_node *node)
{
    while (node) {
        struct hkti_context_node *next = node->next;
        hkti_release(node, sizeof *node);
        node = next;
    }
}

/* So many nodes, into *chain: false without memory. */
static bool allocate_chain(struct hkti_context_node **chain, size_t count)
{
    *chain = NULL;
    for (; count > 0; count--) {
        struct hkti_context_node *node = hkti_allocate(sizeof *node);
        if (node == NULL) {
            release_chain(*chain);
            return false;
        }
        hkti_init(&node->refs, 1);
        node->next = *chain;
        *chain = node;
    }
    return true;
}

struct hkti_context_node *hkti_context_hold_node(struct hkti_context_node *node)
{
    if (node->number == 0)
        node = node->next;
    if (node)
        hkti_fetch_add_relaxed(&node->refs, 1);
    return node;
}

void hkti_context_drop_node(struct hkti_context_node *node)
{
    /* pairs: context-refs */
    while (node && hkti_fetch_add_acq_rel(&node->refs, (uint32_t)-1) == 1) {
        struct hkti_context_node *next = node->next;
        if (node->number == 0) {
            release_chain(((struct head *)node)->reserves);
            hkti_release(node, sizeof(struct head));
        } else {
            hkti_release(node, sizeof *node);
        }
        node = next;
    }
}

/* Its head, or NULL; and where its bindings begin. */
static struct head *head_of(const struct hkti_strand *self)
{
    struct hkti_context_node *node = self->context;
    return node && node->number == 0 ? (struct head *)node : NULL;
}

static struct hkti_context_node **list_of(struct hkti_strand *self)
{
    struct head *head = head_of(self);
    return head ? &head->node.next : &self->context;
}

static struct head *head_made(struct hkti_strand *self)
{
    struct head *head = head_of(self);
    if (head || (head = hkti_allocate(sizeof *head)) == NULL)
        return head;
    hkti_init(&head->node.refs, 1);
    head->number = hkti_fetch_add_relaxed(&last_head, 1) + 1;
    head->node.next = self->context;
    self->context = &head->node;
    return head;
}

static struct hkti_context_node *find(struct hkti_context_node *node, uint64_t number)
{
    while (node && node->number != number)
        node = node->next;
    return node;
}

/* This strand alone sees it. For nodes that are reached through such nodes. */
static bool is_own(const struct hkti_context_node *node)
{
    return hkti_load_acquire(&node->refs) == 1; /* pairs: context-refs */
}

/* Where the shared end begins, or the list ends. */
static struct hkti_context_node **shared_end(struct hkti_context_node **place)
{
    while (*place && is_own(*place))
        place = &(*place)->next;
    return place;
}

/* How many nodes of the shared end must be copied to be rid of the variable in it, and what stands
 * behind its last binding; the whole end if it has none. */
static size_t count_above(struct hkti_context_node *shared, uint64_t number,
                          struct hkti_context_node **rest)
{
    size_t count = 0, above = 0;
    *rest = shared;
    for (struct hkti_context_node *node = shared; node; node = node->next) {
        if (node->number == number) {
            above = count;
            *rest = node->next;
        } else {
            count++;
        }
    }
    return above;
}

/* Takes all bindings of the variable out of the list. `spare` has nodes for what must be copied, as
 * many as count_above said, or more: the others may have dropped theirs meanwhile, and then there
 * is less to copy. */
static void unbind(struct hkti_context_node **place, uint64_t number,
                   struct hkti_context_node *spare)
{
    struct hkti_context_node *shared, *rest;
    while ((shared = *place) != NULL && is_own(shared)) {
        if (shared->number == number) {
            *place = shared->next;
            hkti_release(shared, sizeof *shared);
        } else {
            place = &shared->next;
        }
    }
    count_above(shared, number, &rest);
    for (struct hkti_context_node *node = shared; node != rest; node = node->next) {
        if (node->number == number)
            continue;
        *place = spare;
        spare = spare->next;
        (*place)->number = node->number;
        (*place)->value = node->value;
        place = &(*place)->next;
    }
    release_chain(spare);
    if (rest == shared)
        return;
    *place = rest;
    if (rest)
        hkti_fetch_add_relaxed(&rest->refs, 1);
    hkti_context_drop_node(shared);
}

static void push(struct hkti_context_node **list, struct hkti_context_node *node, uint64_t number,
                 void *value)
{
    node->number = number;
    node->value = value;
    node->next = *list;
    *list = node;
}

/* Changes the binding in place: false if others see it, or there is none. */
static bool change_own(struct hkti_context_node *node, uint64_t number, void *value)
{
    for (; node && is_own(node); node = node->next)
        if (node->number == number) {
            node->value = value;
            return true;
        }
    return false;
}

static int bind(struct hkti_context_node **list, uint64_t number, void *value)
{
    struct hkti_context_node *chain, *rest;
    if (change_own(*list, number, value))
        return 0;
    if (!allocate_chain(&chain, count_above(*shared_end(list), number, &rest) + 1))
        return -ENOMEM;
    unbind(list, number, chain->next);
    push(list, chain, number, value);
    return 0;
}

int hkt_context_var_create(hkt_context_var **var, const char *name, void *initial)
{
    struct hkt_context_var *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->number = hkti_fetch_add_relaxed(&last_var, 1) + 1;
    made->initial = initial;
    snprintf(made->name, sizeof made->name, "%s", name ? name : "");
    *var = made;
    return 0;
}

void hkt_context_var_destroy(hkt_context_var *var)
{
    if (var == NULL)
        return;
    struct hkti_context_node **list = list_of(hkti_os_local()), *rest;
    if (count_above(*shared_end(list), var->number, &rest) == 0)
        unbind(list, var->number, NULL);
    hkti_release(var, sizeof *var);
}

const char *hkt_context_var_name(const hkt_context_var *var)
{
    return var->name;
}

void *hkt_context_get(const hkt_context_var *var)
{
    const struct hkti_strand *self = hkti_os_local();
    const struct hkti_context_node *node = find(self->context, var->number);
    return node ? node->value : var->initial;
}

int hkt_context_set(hkt_context_var *var, void *value, hkt_context_token *token)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_context_node *reserve = NULL;
    struct head *head = NULL;
    if (token) {
        *token = (hkt_context_token){ { 0 } };
        head = head_made(self);
        if (head == NULL || !allocate_chain(&reserve, 1))
            return -ENOMEM;
        const struct hkti_context_node *before = find(head->node.next, var->number);
        reserve->number = var->number;
        reserve->bound = before != NULL;
        reserve->value = before ? before->value : var->initial;
    }
    int err = bind(list_of(self), var->number, value);
    if (err < 0) {
        release_chain(reserve);
    } else if (token) {
        reserve->ticket = ++head->last_ticket;
        reserve->next = head->reserves;
        head->reserves = reserve;
        *(struct token *)token = (struct token){ .head = head->number, .ticket = reserve->ticket };
    }
    return err;
}

/* What the token's set has put in reserve, taken out; NULL: a copy of the token has been used. */
static struct hkti_context_node *take_reserve(struct head *head, uint64_t ticket)
{
    struct hkti_context_node **place = &head->reserves;
    while (*place && (*place)->ticket != ticket)
        place = &(*place)->next;
    struct hkti_context_node *reserve = *place;
    if (reserve)
        *place = reserve->next;
    return reserve;
}

/* Others may share the list, and without memory what is above the binding cannot be copied: then
 * the reserve goes in front of it, and the variable is in the list twice, until its next set. */
int hkt_context_reset(hkt_context_token *public)
{
    struct token *token = (struct token *)public;
    struct head *head = head_of(hkti_os_local());
    if (token->head == 0)
        return -EALREADY;
    if (head == NULL || head->number != token->head)
        return -EINVAL;
    struct hkti_context_node *reserve = take_reserve(head, token->ticket);
    token->head = 0;
    if (reserve == NULL)
        return -EALREADY;
    struct hkti_context_node **list = &head->node.next, *rest, *spare;
    uint64_t number = reserve->number;
    bool cut = allocate_chain(&spare, count_above(*shared_end(list), number, &rest));
    if (cut)
        unbind(list, number, spare);
    if (cut && !reserve->bound)
        hkti_release(reserve, sizeof *reserve);
    else
        push(list, reserve, number, reserve->value);
    return 0;
}

int hkt_context_copy(hkt_context **copy)
{
    struct hkt_context *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->list = hkti_context_hold();
    *copy = made;
    return 0;
}

int hkt_context_run(hkt_context *context, int (*job)(void *), void *arg)
{
    if (!hkti_cas_acquire(&context->busy, 0, 1)) /* pairs: context-busy */
        return -EBUSY;
    struct hkti_strand *self = hkti_self();
    struct hkti_context_node *kept = self->context;
    self->context = context->list;
    context->list = NULL;
    int result = job(arg);
    context->list = self->context;
    self->context = kept;
    hkti_store_release(&context->busy, 0); /* pairs: context-busy */
    return result;
}

void hkt_context_destroy(hkt_context *context)
{
    if (context == NULL)
        return;
    if (hkti_load_acquire(&context->busy)) /* pairs: context-busy */
        hkti_misuse("hkt_context_destroy: context %p is being run", (void *)context);
    hkti_context_drop(context->list);
    hkti_release(context, sizeof *context);
}

/* The destructors of thread-local values may still use the context: they are first. */
static void ends(struct hkti_strand *self)
{
    hkti_locals_end(self);
    hkti_context_drop(self->context);
    self->context = NULL;
}

static struct hkti_strand_events events = { .ends = ends };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
}
