/* SPDX-License-Identifier: MIT */
/* Shared memory as programs see it: one address in a process and its copies. */
#include <errno.h>
#include <hocket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* A list whose nodes come from several processes. */
struct node {
    struct node *next;
    long value;
};

static void in_copy(void (*body)(void *), void *arg)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        body(arg);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void push(void *arg)
{
    struct node **list = arg;
    struct node *node = hkt_shared_alloc(sizeof *node);
    CHECK(node);
    node->next = *list;
    node->value = getpid();
    *list = node;
}

TEST(pointers_mean_the_same_in_all_copies_of_a_process)
{
    struct node **list = hkt_shared_alloc(sizeof *list);
    CHECK(list && hkt_shared_contains(list));
    CHECK(*list == NULL);
    for (int i = 0; i < 5; i++)
        in_copy(push, list);
    push(list);
    int count = 0;
    for (struct node *node = *list, *next; node; node = next, count++) {
        next = node->next;
        CHECK(hkt_shared_contains(node));
        CHECK_EQ(node->value == getpid(), count == 0);
        hkt_shared_free(node); /* whoever allocated it */
    }
    CHECK_EQ(count, 6);
    hkt_shared_free(list);
    CHECK_EQ(hkt_shared_used(), 0);
    CHECK_EQ(hkt_finalize(), 0);
}

static void free_it(void *memory)
{
    hkt_shared_free(memory);
}

TEST(any_process_frees_what_another_one_allocated)
{
    for (size_t size = 1; size < 1 << 22; size = size * 3 + 1) {
        unsigned char *memory = hkt_shared_alloc(size);
        CHECK(memory);
        for (size_t i = 0; i < size; i++)
            CHECK(memory[i] == 0);
        memory[size - 1] = 1;
        CHECK(hkt_shared_used() >= size);
        in_copy(free_it, memory);
        CHECK_EQ(hkt_shared_used(), 0);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(before_the_first_use_there_is_no_shared_memory)
{
    int number = 0;
    CHECK_EQ(hkt_shared_used(), 0);
    CHECK_EQ(hkt_shared_capacity(), 0);
    CHECK(!hkt_shared_contains(&number));
    CHECK(!hkt_shared_contains(NULL));
    hkt_shared_free(NULL);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(what_is_allocated_outlives_who_allocated_it)
{
    struct node **list = hkt_shared_alloc(sizeof *list);
    CHECK(list);
    in_copy(push, list);
    CHECK_EQ(hkt_finalize(), -EBUSY);
    CHECK((*list)->value != getpid());
    hkt_shared_free(*list);
    hkt_shared_free(list);
    CHECK_EQ(hkt_finalize(), 0);
}
