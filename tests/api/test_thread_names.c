/* SPDX-License-Identifier: MIT */
/* Names and numbers of threads, in hocket and in the kernel. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "waits.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

/* The kernel's name of a thread of this process. */
static void kernel_name(int tid, char name[64])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    FILE *comm = fopen(path, "re");
    CHECK(comm != NULL);
    CHECK(fgets(name, 64, comm) != NULL);
    name[strcspn(name, "\n")] = '\0';
    fclose(comm);
}

/* A thread that waits, with its kernel name set. */
static hkt_thread *start_named(hkt_event *event, const char *name)
{
    hkt_thread *thread = must_spawn(wait_for_event, event, &(hkt_thread_options){ .name = name });
    await_state(thread, HKT_THREAD_BLOCKED);
    return thread;
}

TEST(the_name_is_copied)
{
    hkt_event event = { 0 };
    char name[] = "worker", kernel[64];
    hkt_thread *thread = start_named(&event, name);
    name[0] = 'X';
    CHECK_STR(hkt_thread_name(thread), "worker");
    kernel_name(hkt_thread_native_id(thread), kernel);
    CHECK_STR(kernel, "worker");
    hkt_event_set(&event);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_STR(hkt_thread_name(thread), "worker"); /* after its end too */
    hkt_thread_destroy(thread);
}

TEST(a_long_name_is_cut_for_the_kernel_alone)
{
    hkt_event event = { 0 };
    char kernel[64];
    hkt_thread *thread = start_named(&event, "the-one-who-counts-sheep");
    CHECK_STR(hkt_thread_name(thread), "the-one-who-counts-sheep");
    kernel_name(hkt_thread_native_id(thread), kernel);
    CHECK_STR(kernel, "the-one-who-cou");
    CHECK_EQ(hkt_thread_set_name(thread, "the-one-who-counts-goats"), 0);
    kernel_name(hkt_thread_native_id(thread), kernel);
    CHECK_STR(kernel, "the-one-who-cou");
    hkt_event_set(&event);
    must_join(thread);
}

TEST(a_very_long_name_is_cut)
{
    char name[200];
    hkt_thread *thread;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, &(hkt_thread_options){ .name = name }), 0);
    name[HKT_NAME_MAX - 1] = '\0';
    CHECK_STR(hkt_thread_name(thread), name);
    CHECK_EQ(hkt_thread_set_name(thread, "short"), 0);
    CHECK_STR(hkt_thread_name(thread), "short");
    name[HKT_NAME_MAX - 1] = 'n';
    CHECK_EQ(hkt_thread_set_name(thread, name), 0);
    CHECK_EQ(strlen(hkt_thread_name(thread)), HKT_NAME_MAX - 1);
    hkt_thread_destroy(thread);
}

TEST(threads_without_a_name_are_numbered)
{
    hkt_thread *threads[3];
    int numbers[3];
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_thread_create(&threads[i], nothing, NULL, NULL), 0);
        CHECK_EQ(sscanf(hkt_thread_name(threads[i]), "Thread-%d", &numbers[i]), 1);
    }
    CHECK(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    for (int i = 0; i < 3; i++)
        hkt_thread_destroy(threads[i]);
}

TEST(a_name_may_be_empty_but_not_missing)
{
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, &(hkt_thread_options){ .name = "" }), 0);
    CHECK_STR(hkt_thread_name(thread), "");
    CHECK_EQ(hkt_thread_set_name(thread, NULL), -EINVAL);
    CHECK_STR(hkt_thread_name(thread), "");
    hkt_thread_destroy(thread);
}

TEST(a_name_can_be_set_from_outside)
{
    hkt_event event = { 0 };
    char kernel[64];
    hkt_thread *thread = start_named(&event, "before");
    CHECK_EQ(hkt_thread_set_name(thread, "after"), 0);
    CHECK_STR(hkt_thread_name(thread), "after");
    kernel_name(hkt_thread_native_id(thread), kernel);
    CHECK_STR(kernel, "after");
    hkt_event_set(&event);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_set_name(thread, "late"), 0); /* of one that has ended: kept by hocket */
    CHECK_STR(hkt_thread_name(thread), "late");
    hkt_thread_destroy(thread);
}

static int rename_oneself(void *arg)
{
    char kernel[64];
    (void)arg;
    CHECK_EQ(hkt_thread_set_name(hkt_thread_current(), "changed"), 0);
    CHECK_STR(hkt_thread_name(hkt_thread_current()), "changed");
    kernel_name(hkt_native_id(), kernel);
    CHECK_STR(kernel, "changed");
    return 0;
}

TEST(a_name_can_be_set_by_oneself)
{
    must_join(must_spawn(rename_oneself, NULL, NULL));
}

TEST(main_has_a_name)
{
    char kernel[64];
    CHECK_STR(hkt_thread_name(hkt_thread_main()), "main");
    CHECK_EQ(hkt_thread_set_name(hkt_thread_main(), "conductor"), 0);
    CHECK_STR(hkt_thread_name(hkt_thread_current()), "conductor");
    kernel_name(getpid(), kernel);
    CHECK_STR(kernel, "conductor");
}

TEST(a_name_set_before_the_start_is_the_kernels_too)
{
    hkt_event event = { 0 };
    hkt_thread *thread;
    char kernel[64];
    CHECK_EQ(hkt_thread_create(&thread, wait_for_event, &event, NULL), 0);
    CHECK_EQ(hkt_thread_set_name(thread, "early"), 0);
    CHECK_EQ(hkt_thread_start(thread), 0);
    await_state(thread, HKT_THREAD_BLOCKED);
    kernel_name(hkt_thread_native_id(thread), kernel);
    CHECK_STR(kernel, "early");
    hkt_event_set(&event);
    must_join(thread);
}

TEST_TIMEOUT(a_name_given_right_after_the_start_wins, 60)
{
    for (long i = 0; i < test_scaled(2000); i++) {
        hkt_event event = { 0 };
        char kernel[64];
        hkt_thread *thread = must_spawn(wait_for_event, &event,
                                        &(hkt_thread_options){ .name = "first" });
        CHECK_EQ(hkt_thread_set_name(thread, "second"), 0);
        await_state(thread, HKT_THREAD_BLOCKED);
        kernel_name(hkt_thread_native_id(thread), kernel);
        CHECK_STR(kernel, "second");
        hkt_event_set(&event);
        must_join(thread);
    }
}

static int write_numbers(void *arg)
{
    hkt_thread_info *info = arg;
    info->ident = hkt_ident();
    info->native_id = hkt_native_id();
    CHECK_EQ(info->native_id, syscall(SYS_gettid));
    CHECK_EQ(hkt_thread_ident(hkt_thread_current()), info->ident);
    CHECK_EQ(hkt_thread_native_id(hkt_thread_current()), info->native_id);
    return 0;
}

TEST(numbers_are_the_same_inside_and_outside)
{
    hkt_thread_info inside = { 0 };
    hkt_thread *thread = must_spawn(write_numbers, &inside, NULL);
    uint64_t ident = hkt_thread_ident(thread);
    int native_id = hkt_thread_native_id(thread);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(inside.ident, ident);
    CHECK_EQ(inside.native_id, native_id);
    CHECK_EQ(hkt_thread_ident(thread), ident); /* after its end too */
    hkt_thread_destroy(thread);
}

TEST(main_has_numbers)
{
    CHECK(hkt_ident() != 0);
    CHECK_EQ(hkt_native_id(), getpid());
    CHECK_EQ(hkt_thread_ident(hkt_thread_main()), hkt_ident());
    CHECK_EQ(hkt_thread_native_id(hkt_thread_main()), getpid());
    CHECK(hkt_thread_current() == hkt_thread_main());
}

TEST(idents_are_never_used_again)
{
    uint64_t last = hkt_ident();
    for (long i = 0; i < test_scaled(500); i++) {
        hkt_thread *thread = must_spawn(nothing, NULL, NULL);
        uint64_t ident = hkt_thread_ident(thread);
        CHECK(ident > last); /* the header says another; that they grow, makes it certain */
        last = ident;
        must_join(thread);
    }
}
