/* SPDX-License-Identifier: MIT */
/* hocket/context.h against a model, by chance; without memory; and among threads. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "caller.h"
#include "random.h"
#include "waits.h"

#define VARS 6
#define CONTEXTS 5 /* the first is the thread's own */
#define TOKENS 20

static atomic_long calls, alive;
static long fail_from, fail_to; /* these calls fail, counted from 1, */
static long fail_every = 1;     /* or each so many-th of them */

static void *allocate(void *context, size_t size)
{
    (void)context;
    long call = ++calls;
    bool fails = call >= fail_from && call <= fail_to && call % fail_every == 0;
    void *memory = fails ? NULL : malloc(size);
    if (memory)
        alive++;
    return memory;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    memset(memory, 0xa5, size);
    alive--;
    free(memory);
}

static const hkt_allocator failing = { allocate, release, NULL, { 0 } };

static char values[1000];

/* A context, and what must be in it. */
struct world {
    struct model *model;
    hkt_context *context; /* NULL: the thread's own */
    char *value[VARS];
    bool used; /* there is one */
    bool busy;
};

struct remembered {
    hkt_context_token token;
    struct world *world; /* NULL: it has been used, or its context is gone */
    int var;
    char *value;
};

struct model {
    struct test_random random;
    hkt_context_var *vars[VARS];
    struct world worlds[CONTEXTS];
    struct remembered tokens[TOKENS];
    int depth;
};

static void check_values(const struct world *world)
{
    for (int i = 0; i < VARS; i++)
        CHECK(hkt_context_get(world->model->vars[i]) == world->value[i]);
}

static void change(struct world *world)
{
    struct model *model = world->model;
    int var = (int)random_below(&model->random, VARS);
    char *value = &values[random_below(&model->random, sizeof values)];
    struct remembered *token = &model->tokens[random_below(&model->random, TOKENS)];
    if (random_below(&model->random, 2))
        token = NULL;
    int err = hkt_context_set(model->vars[var], value, token ? &token->token : NULL);
    CHECK(err == 0 || (err == -ENOMEM && fail_to != 0));
    if (token) {
        token->world = err == 0 ? world : NULL;
        token->var = var;
        token->value = world->value[var];
    }
    if (err == 0)
        world->value[var] = value;
}

static void bring_back(struct world *world)
{
    struct model *model = world->model;
    struct remembered *token = &model->tokens[random_below(&model->random, TOKENS)];
    int err = hkt_context_reset(&token->token);
    if (token->world == NULL) {
        CHECK(err == -EALREADY || err == -EINVAL); /* used; of a context that is gone */
    } else if (token->world != world) {
        CHECK_EQ(err, -EINVAL);
    } else {
        CHECK_EQ(err, 0); /* also without memory */
        world->value[token->var] = token->value;
        token->world = NULL;
    }
}

static void forget(struct model *model, struct world *world)
{
    hkt_context_destroy(world->context);
    for (int i = 0; i < TOKENS; i++)
        if (model->tokens[i].world == world)
            model->tokens[i].world = NULL;
    world->used = false;
}

static void copy(struct world *from)
{
    struct model *model = from->model;
    struct world *to = &model->worlds[1 + random_below(&model->random, CONTEXTS - 1)];
    if (to->busy)
        return;
    if (to->used)
        forget(model, to);
    if (hkt_context_copy(&to->context) < 0) {
        CHECK(fail_to != 0);
        return;
    }
    memcpy(to->value, from->value, sizeof to->value);
    to->used = true;
}

static int wander(void *arg);

static void enter(struct model *model)
{
    struct world *to = &model->worlds[1 + random_below(&model->random, CONTEXTS - 1)];
    if (!to->used)
        return;
    if (to->busy) {
        CHECK_EQ(hkt_context_run(to->context, wander, to), -EBUSY);
    } else {
        to->busy = true;
        CHECK_EQ(hkt_context_run(to->context, wander, to), 0);
        to->busy = false;
    }
}

/* Some steps in one context, and perhaps in others from there. */
static int wander(void *arg)
{
    struct world *world = arg;
    struct model *model = world->model;
    int steps = model->depth == 0 ? 40 : 8;
    model->depth++;
    for (int i = 0; i < steps; i++) {
        switch (random_below(&model->random, 8)) {
        case 0:
            copy(world);
            break;
        case 1:
            enter(model);
            break;
        case 2:
        case 3:
        case 4:
            bring_back(world);
            break;
        default:
            change(world);
        }
        check_values(world);
    }
    model->depth--;
    return 0;
}

/* What variable i has at first. */
static char *first_value(int i)
{
    return &values[900 + i];
}

static void begin(struct model *model, uint64_t seed)
{
    *model = (struct model){ .random = random_of(seed) };
    for (int i = 0; i < CONTEXTS; i++)
        model->worlds[i].model = model;
    for (int i = 0; i < VARS; i++)
        model->worlds[0].value[i] = first_value(i);
}

static void end(struct model *model)
{
    for (int i = 1; i < CONTEXTS; i++)
        if (model->worlds[i].used)
            forget(model, &model->worlds[i]);
}

/* One walk from an empty start; all is given back. `seed` says which. */
static void walk(uint64_t seed)
{
    struct model model;
    begin(&model, seed);
    for (int i = 0; i < VARS; i++)
        CHECK_EQ(hkt_context_var_create(&model.vars[i], "", first_value(i)), 0);
    fail_to = fail_from > 0 ? INT32_MAX : 0;
    wander(&model.worlds[0]);
    fail_to = 0;
    end(&model);
    for (int i = 0; i < VARS; i++)
        hkt_context_var_destroy(model.vars[i]);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
    CHECK_EQ(alive, 0);
}

TEST(contexts_do_what_the_model_does)
{
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    for (long i = 0; i < test_scaled(2000); i++)
        walk((uint64_t)i);
}

/* From the n-th allocation on there is no memory: what fails changes nothing, and resets go on. */
TEST(without_memory_too)
{
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    for (long n = 1; n <= test_scaled(100); n++) {
        for (long i = 0; i < test_scaled(20); i++) {
            fail_from = VARS + n;
            calls = 0;
            walk((uint64_t)(1000 * n + i));
        }
    }
}

/* And there is memory again: what was put aside for want of it is put in order. */
TEST(with_memory_now_and_then)
{
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    fail_from = VARS + 1;
    for (long i = 0; i < test_scaled(4000); i++) {
        fail_every = 2 + i % 3;
        calls = 0;
        walk((uint64_t)i);
    }
}

/* A reset without memory leaves what it cannot take out, behind; that must never show again. */
TEST(what_a_reset_could_not_take_out_does_not_come_back)
{
    hkt_context_var *a, *b;
    hkt_context_token first, second;
    hkt_context *copies[2];
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(hkt_context_var_create(&a, "", values), 0);
    CHECK_EQ(hkt_context_var_create(&b, "", NULL), 0);
    CHECK_EQ(hkt_context_set(a, values + 1, &first), 0);
    CHECK_EQ(hkt_context_set(a, values + 2, &second), 0);
    CHECK_EQ(hkt_context_set(b, values + 3, NULL), 0);
    CHECK_EQ(hkt_context_copy(&copies[0]), 0);
    fail_from = calls + 1;
    fail_to = INT32_MAX;
    CHECK_EQ(hkt_context_reset(&second), 0);
    CHECK(hkt_context_get(a) == values + 1);
    fail_to = 0;
    CHECK_EQ(hkt_context_copy(&copies[1]), 0);
    CHECK_EQ(hkt_context_reset(&first), 0);
    CHECK(hkt_context_get(a) == values);
    CHECK(hkt_context_get(b) == values + 3);
    hkt_context_destroy(copies[0]);
    hkt_context_destroy(copies[1]);
    hkt_context_var_destroy(a);
    hkt_context_var_destroy(b);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(alive, 0);
}

/* Everything once, to the first error. */
static int use_all(void)
{
    hkt_context_var *vars[3] = { NULL };
    hkt_context_token tokens[4] = { { { 0 } } };
    hkt_context *copy = NULL;
    int err = 0, reset;
    for (int i = 0; i < 3 && err == 0; i++) {
        err = hkt_context_var_create(&vars[i], "", NULL);
        if (err == 0)
            err = hkt_context_set(vars[i], values + i, &tokens[i]);
    }
    if (err == 0)
        err = hkt_context_copy(&copy);
    if (err == 0)
        err = hkt_context_set(vars[0], values + 3, &tokens[3]); /* copies the two above it */
    for (int i = 3; i >= 0; i--) {
        reset = hkt_context_reset(&tokens[i]);
        CHECK(reset == 0 || (err == -ENOMEM && reset == -EALREADY));
    }
    for (int i = 0; i < 3; i++) {
        CHECK(vars[i] == NULL || hkt_context_get(vars[i]) == NULL);
        hkt_context_var_destroy(vars[i]);
    }
    hkt_context_destroy(copy);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(alive, 0);
    return err;
}

TEST(any_one_allocation_may_fail)
{
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    fail_from = fail_to = 0;
    CHECK_EQ(use_all(), 0);
    long needed = calls;
    CHECK(needed >= 3 + 1 + 6 + 1 + 4);
    long failed = 0;
    for (fail_from = 1; fail_from <= needed; fail_from++) {
        fail_to = fail_from;
        calls = 0;
        int err = use_all();
        CHECK(err == 0 || err == -ENOMEM); /* 0: a reset went on without it */
        failed += err < 0;
    }
    CHECK(failed >= 15);
}

/* Others give their copies back while this one changes its own: what is shared with nobody any
 * more may be changed in place, and nobody may be looking. */
static hkt_context_var *vars[VARS];

static int look_and_drop(void *arg)
{
    hkt_queue *queue = arg;
    hkt_context *context;
    for (uint64_t round = 0; hkt_queue_get(queue, &context) == 0 && context; round++) {
        struct model model;
        begin(&model, round + 10000 * hkt_ident());
        memcpy(model.vars, vars, sizeof vars);
        for (int i = 0; i < VARS; i++)
            model.worlds[0].value[i] = values + i;
        CHECK_EQ(hkt_context_run(context, wander, &model.worlds[0]), 0);
        hkt_context_destroy(context);
        end(&model);
    }
    return 0;
}

TEST_TIMEOUT(copies_end_in_other_threads, 60)
{
    struct caller callers[3];
    hkt_queue *queue;
    struct test_random random = random_of(77);
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(hkt_queue_create(&queue, sizeof(hkt_context *), NULL), 0);
    for (int i = 0; i < VARS; i++)
        CHECK_EQ(hkt_context_var_create(&vars[i], "", NULL), 0);
    for (int i = 0; i < 3; i++)
        caller_start(&callers[i], look_and_drop, queue);
    for (long round = 0; round < test_scaled(3000); round++) {
        hkt_context_token tokens[VARS];
        hkt_context *context;
        for (int i = 0; i < VARS; i++)
            CHECK_EQ(hkt_context_set(vars[i], values + i, NULL), 0);
        CHECK_EQ(hkt_context_copy(&context), 0);
        CHECK_EQ(hkt_queue_put(queue, &context), 0);
        for (int i = 0; i < VARS; i++) {
            size_t var = random_below(&random, VARS);
            CHECK_EQ(hkt_context_set(vars[var], values + 100 + i, &tokens[i]), 0);
        }
        for (int i = VARS; i-- > 0;)
            CHECK_EQ(hkt_context_reset(&tokens[i]), 0);
        for (int i = 0; i < VARS; i++)
            CHECK(hkt_context_get(vars[i]) == values + i);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_queue_put(queue, &(hkt_context *){ NULL }), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    hkt_queue_destroy(queue);
    for (int i = 0; i < VARS; i++)
        hkt_context_var_destroy(vars[i]);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(alive, 0);
}
