/* SPDX-License-Identifier: MIT */
/* hocket/context.h: values that go with the work. */
#include <errno.h>

#include "caller.h"
#include "waits.h"

/* Values are pointers into this; the initial one of most variables is NULL. */
static char value[1000];

static hkt_context_var *var_of(void *initial)
{
    hkt_context_var *var;
    CHECK_EQ(hkt_context_var_create(&var, "a variable", initial), 0);
    return var;
}

static void set(hkt_context_var *var, void *to)
{
    CHECK_EQ(hkt_context_set(var, to, NULL), 0);
    CHECK(hkt_context_get(var) == to);
}

/* All is given back: what the main thread has, too. */
static void check_all_gone(void)
{
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(a_variable_has_its_initial_value_until_it_is_set)
{
    hkt_context_var *a = var_of(value), *b = var_of(NULL);
    CHECK(hkt_context_get(a) == value);
    CHECK(hkt_context_get(b) == NULL);
    set(a, value + 1);
    CHECK(hkt_context_get(b) == NULL);
    set(b, value + 2);
    set(a, NULL); /* NULL is a value too */
    CHECK(hkt_context_get(b) == value + 2);
    hkt_context_var_destroy(a);
    hkt_context_var_destroy(b);
    hkt_context_var_destroy(NULL);
    check_all_gone();
}

TEST(a_variable_has_a_name)
{
    char name[] = "request";
    char longer[100];
    hkt_context_var *var;
    CHECK_EQ(hkt_context_var_create(&var, name, NULL), 0);
    name[0] = 'X';
    CHECK_STR(hkt_context_var_name(var), "request");
    hkt_context_var_destroy(var);
    memset(longer, 'x', sizeof longer);
    longer[99] = '\0';
    CHECK_EQ(hkt_context_var_create(&var, longer, NULL), 0);
    CHECK_EQ(strlen(hkt_context_var_name(var)), 63);
    hkt_context_var_destroy(var);
    CHECK_EQ(hkt_context_var_create(&var, NULL, NULL), 0);
    CHECK_STR(hkt_context_var_name(var), "");
    hkt_context_var_destroy(var);
}

TEST(a_reset_brings_back_what_was_there)
{
    hkt_context_var *var = var_of(value);
    hkt_context_token first, second;
    CHECK_EQ(hkt_context_set(var, value + 1, &first), 0);
    CHECK_EQ(hkt_context_set(var, value + 2, &second), 0);
    CHECK(hkt_context_get(var) == value + 2);
    CHECK_EQ(hkt_context_reset(&second), 0);
    CHECK(hkt_context_get(var) == value + 1);
    CHECK_EQ(hkt_context_reset(&first), 0);
    CHECK(hkt_context_get(var) == value);
    hkt_context_var_destroy(var);
    check_all_gone();
}

/* As in Python: it does not matter what was set since. */
TEST(tokens_may_be_reset_in_any_order)
{
    hkt_context_var *a = var_of(NULL), *b = var_of(NULL);
    hkt_context_token tokens[3];
    CHECK_EQ(hkt_context_set(a, value + 1, &tokens[0]), 0);
    CHECK_EQ(hkt_context_set(b, value + 2, &tokens[1]), 0);
    CHECK_EQ(hkt_context_set(a, value + 3, &tokens[2]), 0);
    CHECK_EQ(hkt_context_reset(&tokens[0]), 0);
    CHECK(hkt_context_get(a) == NULL);
    CHECK(hkt_context_get(b) == value + 2);
    CHECK_EQ(hkt_context_reset(&tokens[2]), 0);
    CHECK(hkt_context_get(a) == value + 1);
    CHECK_EQ(hkt_context_reset(&tokens[1]), 0);
    CHECK(hkt_context_get(b) == NULL);
    hkt_context_var_destroy(a);
    hkt_context_var_destroy(b);
    check_all_gone();
}

TEST(a_token_is_used_once)
{
    hkt_context_var *var = var_of(NULL);
    hkt_context_token token = { { 0 } }, copy;
    CHECK_EQ(hkt_context_reset(&token), -EALREADY); /* of no set */
    CHECK_EQ(hkt_context_set(var, value, &token), 0);
    copy = token;
    CHECK_EQ(hkt_context_reset(&token), 0);
    set(var, value + 1);
    CHECK_EQ(hkt_context_reset(&token), -EALREADY);
    CHECK_EQ(hkt_context_reset(&copy), -EALREADY); /* nor a copy of it */
    CHECK(hkt_context_get(var) == value + 1);
    CHECK_EQ(hkt_context_set(var, value + 2, &token), 0); /* but for another set */
    CHECK_EQ(hkt_context_reset(&token), 0);
    CHECK(hkt_context_get(var) == value + 1);
    hkt_context_var_destroy(var);
    check_all_gone();
}

TEST(a_token_that_is_not_reset_goes_with_its_context)
{
    hkt_context_var *var = var_of(NULL);
    hkt_context_token tokens[50];
    for (int i = 0; i < 50; i++)
        CHECK_EQ(hkt_context_set(var, value + i, &tokens[i]), 0);
    CHECK_EQ(hkt_context_reset(&tokens[20]), 0);
    CHECK(hkt_context_get(var) == value + 19);
    hkt_context_var_destroy(var);
    check_all_gone();
}

/* A set with a reset around something costs no memory in the end. */
TEST(resets_leave_nothing_behind)
{
    hkt_context_var *var = var_of(NULL);
    hkt_context_token token;
    CHECK_EQ(hkt_context_set(var, value, &token), 0);
    CHECK_EQ(hkt_context_reset(&token), 0);
    size_t before = hkt_allocation_count();
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(hkt_context_set(var, value + i, &token), 0);
        CHECK_EQ(hkt_context_reset(&token), 0);
        CHECK_EQ(hkt_allocation_count(), before);
    }
    for (int i = 0; i < 1000; i++)
        set(var, value + i);
    CHECK_EQ(hkt_allocation_count(), before + 1);
    hkt_context_var_destroy(var); /* and its value here */
    CHECK_EQ(hkt_allocation_count(), before - 1);
    check_all_gone();
}

static int reset_it(void *token)
{
    return hkt_context_reset(token);
}

struct call {
    hkt_context_var *var;
    void *seen, *then; /* what it sees; what it sets then, if not NULL */
};

static int see_and_set(void *arg)
{
    struct call *call = arg;
    call->seen = hkt_context_get(call->var);
    if (call->then)
        set(call->var, call->then);
    return 7;
}

static void check_run(hkt_context *context, hkt_context_var *var, void *sees, void *then)
{
    struct call call = { .var = var, .then = then };
    CHECK_EQ(hkt_context_run(context, see_and_set, &call), 7);
    CHECK(call.seen == sees);
}

TEST(a_token_of_another_context_is_refused)
{
    hkt_context_var *var = var_of(NULL);
    hkt_context_token token;
    hkt_context *copy;
    CHECK_EQ(hkt_context_set(var, value, &token), 0);
    CHECK_EQ(hkt_context_copy(&copy), 0);
    CHECK_EQ(hkt_context_run(copy, reset_it, &token), -EINVAL); /* though it sees that value */
    CHECK_EQ(call_elsewhere(reset_it, &token), -EINVAL);
    check_run(copy, var, value, NULL);
    CHECK_EQ(hkt_context_reset(&token), 0); /* a refused one was not used */
    CHECK(hkt_context_get(var) == NULL);
    CHECK_EQ(hkt_context_run(copy, reset_it, &token), -EALREADY);
    check_run(copy, var, value, NULL);
    hkt_context_destroy(copy);
    hkt_context_var_destroy(var);
    check_all_gone();
}

struct with_token {
    hkt_context_var *var;
    hkt_context_token token;
};

static int set_with_token(void *arg)
{
    struct with_token *with = arg;
    return hkt_context_set(with->var, value + 5, &with->token);
}

TEST(a_token_is_good_in_a_later_run_of_its_context)
{
    struct with_token with = { .var = var_of(NULL) };
    hkt_context *copy;
    set(with.var, value);
    CHECK_EQ(hkt_context_copy(&copy), 0);
    CHECK_EQ(hkt_context_run(copy, set_with_token, &with), 0);
    CHECK_EQ(hkt_context_reset(&with.token), -EINVAL);
    check_run(copy, with.var, value + 5, NULL);
    CHECK_EQ(hkt_context_run(copy, reset_it, &with.token), 0);
    check_run(copy, with.var, value, NULL);
    hkt_context_destroy(copy);
    hkt_context_var_destroy(with.var);
    check_all_gone();
}

TEST(a_copy_is_as_it_was_and_keeps_what_runs_in_it_set)
{
    hkt_context_var *var = var_of(NULL);
    hkt_context *empty, *copy, *other;
    CHECK_EQ(hkt_context_copy(&empty), 0);
    set(var, value + 1);
    CHECK_EQ(hkt_context_copy(&copy), 0);
    CHECK_EQ(hkt_context_copy(&other), 0);
    set(var, value + 2);
    check_run(copy, var, value + 1, value + 3);
    CHECK(hkt_context_get(var) == value + 2); /* not outside */
    check_run(copy, var, value + 3, NULL);    /* but in the next run */
    check_run(other, var, value + 1, NULL);
    check_run(empty, var, NULL, value + 4);
    check_run(empty, var, value + 4, NULL);
    CHECK(hkt_context_get(var) == value + 2);
    hkt_context_destroy(copy);
    hkt_context_destroy(other);
    hkt_context_destroy(empty);
    hkt_context_destroy(NULL);
    hkt_context_var_destroy(var);
    check_all_gone();
}

static int run_again(void *context)
{
    struct call call = { 0 };
    return hkt_context_run(context, see_and_set, &call);
}

struct held {
    hkt_context *context;
    hkt_event inside, go_on;
};

static int hold_it(void *arg)
{
    struct held *held = arg;
    hkt_event_set(&held->inside);
    return hkt_event_wait(&held->go_on);
}

static int run_held(void *arg)
{
    struct held *held = arg;
    return hkt_context_run(held->context, hold_it, held);
}

TEST(a_context_is_run_by_one_at_a_time)
{
    struct held held = { 0 };
    struct caller runner;
    CHECK_EQ(hkt_context_copy(&held.context), 0);
    CHECK_EQ(hkt_context_run(held.context, run_again, held.context), -EBUSY);
    caller_start(&runner, run_held, &held);
    CHECK_EQ(hkt_event_wait(&held.inside), 0);
    CHECK_EQ(run_again(held.context), -EBUSY);
    hkt_event_set(&held.go_on);
    CHECK_EQ(caller_end(&runner), 0);
    CHECK_EQ(hkt_context_run(held.context, hold_it, &held), 0);
    hkt_context_destroy(held.context);
    check_all_gone();
}

static int destroy_it(void *context)
{
    hkt_context_destroy(context);
    return 0;
}

TEST_ABORTS(a_context_that_is_run_is_not_destroyed, "hkt_context_destroy: context")
{
    hkt_context *context;
    CHECK_EQ(hkt_context_copy(&context), 0);
    (void)hkt_context_run(context, destroy_it, context);
}

static hkt_context_var *shared_var;

static int begins_empty(void *arg)
{
    CHECK(hkt_context_get(shared_var) == NULL);
    set(shared_var, arg);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK(hkt_context_get(shared_var) == arg);
    return 0;
}

TEST(each_thread_has_its_own)
{
    shared_var = var_of(NULL);
    set(shared_var, value);
    struct caller callers[4];
    for (int i = 0; i < 4; i++)
        caller_start(&callers[i], begins_empty, value + 1 + i);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK(hkt_context_get(shared_var) == value);
    hkt_context_var_destroy(shared_var);
    check_all_gone(); /* a thread's end gives back what it had */
}

static void set_late(void *arg)
{
    hkt_context_token token;
    CHECK_EQ(hkt_context_set(shared_var, arg, &token), 0);
}

static int set_local(void *local)
{
    set(shared_var, value);
    return hkt_local_set(local, value);
}

TEST(a_destructor_at_the_end_of_the_thread_may_set)
{
    hkt_local *local;
    shared_var = var_of(NULL);
    CHECK_EQ(hkt_local_create(&local, set_late), 0);
    CHECK_EQ(call_elsewhere(set_local, local), 0);
    CHECK_EQ(set_local(local), 0); /* of main: in hkt_finalize */
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 2); /* these two */
    hkt_local_destroy(local);
    hkt_context_var_destroy(shared_var);
    check_all_gone();
}

#define MANY 100

TEST(a_hundred_variables)
{
    hkt_context_var *vars[MANY];
    hkt_context_token tokens[MANY];
    hkt_context *copy;
    for (int i = 0; i < MANY; i++) {
        vars[i] = var_of(value + i);
        CHECK(hkt_context_get(vars[i]) == value + i);
        CHECK_EQ(hkt_context_set(vars[i], value + MANY + i, &tokens[i]), 0);
    }
    CHECK_EQ(hkt_context_copy(&copy), 0);
    for (int i = 0; i < MANY; i += 3)
        CHECK_EQ(hkt_context_reset(&tokens[i]), 0);
    for (int i = 1; i < MANY; i += 3)
        set(vars[i], value);
    for (int i = 0; i < MANY; i++) {
        const int offsets[] = { i, 0, MANY + i };
        CHECK(hkt_context_get(vars[i]) == value + offsets[i % 3]);
        check_run(copy, vars[i], value + MANY + i, NULL);
    }
    hkt_context_destroy(copy);
    for (int i = 0; i < MANY; i++)
        hkt_context_var_destroy(vars[i]);
    check_all_gone();
}

TEST(a_new_variable_does_not_see_the_values_of_a_destroyed_one)
{
    hkt_context *copy;
    hkt_context_token token;
    for (int i = 0; i < 100; i++) {
        hkt_context_var *old = var_of(NULL);
        CHECK_EQ(hkt_context_set(old, value + 1, &token), 0);
        CHECK_EQ(hkt_context_copy(&copy), 0); /* so that it stays */
        hkt_context_var_destroy(old);
        hkt_context_var *fresh = var_of(value);
        CHECK(hkt_context_get(fresh) == value);
        CHECK_EQ(hkt_context_reset(&token), 0);
        CHECK(hkt_context_get(fresh) == value);
        check_run(copy, fresh, value, NULL);
        hkt_context_destroy(copy);
        hkt_context_var_destroy(fresh);
    }
    check_all_gone();
}

/* Nested runs: each back in the context that it came from. */
static int nest(void *arg)
{
    hkt_context_var *var = arg;
    hkt_context *inner;
    char *mine = hkt_context_get(var);
    if (mine == value + 20)
        return 20;
    set(var, mine + 1);
    CHECK_EQ(hkt_context_copy(&inner), 0);
    int result = hkt_context_run(inner, nest, var);
    CHECK(hkt_context_get(var) == mine + 1);
    hkt_context_destroy(inner);
    return result;
}

TEST(runs_nest)
{
    hkt_context_var *var = var_of(value);
    CHECK_EQ(nest(var), 20);
    hkt_context_var_destroy(var);
    check_all_gone();
}
