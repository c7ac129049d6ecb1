/* SPDX-License-Identifier: MIT */
/* Processes by each way to start: what they run, what they get, what is told of them. */
#include <fcntl.h>
#include <sys/stat.h>

#include "processes.h"

struct sum {
    int *place;
    int a, b;
    char text[32];
};

static int add(void *arg)
{
    struct sum *sum = arg;
    sum->a += 1; /* its argument is its own */
    put(sum->place, sum->a + sum->b);
    return strcmp(sum->text, "two words") == 0 ? 7 : 8;
}

TEST(a_function_runs_in_a_process_of_its_own_with_a_copy_of_its_argument)
{
    int *place = shared_words(1);
    EACH_METHOD(method)
    {
        struct sum sum = { .place = place, .a = 1, .b = 40, .text = "two words" };
        hkt_process *process = start_by(method, add, HKT_ITEM(sum));
        int result = -1, code = -1;
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(hkt_process_result(process, &result), 0);
        CHECK_EQ(result, 7);
        CHECK_EQ(hkt_process_exit_code(process, &code), 0);
        CHECK_EQ(code, 7);
        CHECK_EQ(get(place), 42);
        CHECK_EQ(sum.a, 1);
        hkt_process_destroy(process);
        put(place, 0);
    }
    hkt_shared_free(place);
    CHECK_EQ(hkt_finalize(), 0);
}

static int fail_or_die(void *arg)
{
    int what = get(arg);
    if (what == 2)
        raise(SIGKILL);
    return what == 1 ? hkt_fail(-ENODATA, "there is no %s", "bread") : 5;
}

TEST(to_finish_is_to_wait_and_to_be_told)
{
    int *what = shared_words(1);
    const int expected[] = { 5, -ENODATA, -EOWNERDEAD };
    EACH_METHOD(method)
    {
        for (int i = 0; i < 3; i++) {
            put(what, i);
            int result = hkt_process_finish(start_by(method, fail_or_die, what, 0));
            CHECK_EQ(result, expected[i]);
            if (i == 1)
                CHECK_STR(hkt_sentence(result), "there is no bread");
            if (i == 2)
                CHECK(strstr(hkt_sentence(result), "SIGKILL"));
        }
    }
    CHECK_EQ(hkt_process_finish(NULL), 0);
    hkt_shared_free(what);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(an_argument_of_no_size_lies_in_shared_memory)
{
    hkt_process *process;
    int mine = 0;
    CHECK_EQ(hkt_process_create(&process, fail_or_die, &mine, 0, NULL), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "hkt_shared_alloc"));
    CHECK_EQ(hkt_process_create(&process, fail_or_die, NULL, 4, NULL), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "NULL"));
}

static int compare(void *arg)
{
    return arg == NULL ? 3 : 4;
}

static int write_there(void *arg)
{
    put(arg, 5);
    return 0;
}

TEST(without_a_size_the_argument_is_null_or_lies_in_shared_memory)
{
    int *place = shared_words(1);
    EACH_METHOD(method)
    {
        put(place, 0);
        CHECK_EQ(end_of(start_by(method, compare, NULL, 0)), 3);
        CHECK_EQ(end_of(start_by(method, write_there, place, 0)), 0);
        CHECK_EQ(get(place), 5);
    }
    hkt_shared_free(place);
    CHECK_EQ(hkt_finalize(), 0);
}

static int sum_of_bytes(void *arg)
{
    const unsigned char *bytes = arg;
    unsigned sum = 0;
    for (size_t i = 0; i < 300000; i++)
        sum += bytes[i];
    return sum == 300000u * 3 ? 9 : 1;
}

TEST(an_argument_may_be_large)
{
    static unsigned char bytes[300000];
    memset(bytes, 3, sizeof bytes);
    EACH_METHOD(method)
    CHECK_EQ(end_of(start_by(method, sum_of_bytes, bytes, sizeof bytes)), 9);
    CHECK_EQ(hkt_finalize(), 0);
}

static int fail_with_a_sentence(void *arg)
{
    (void)arg;
    return hkt_fail(-EIO, "no luck in process %s", hkt_process_name(hkt_process_current()));
}

static int return_as_told(void *arg)
{
    return *(int *)arg;
}

TEST(a_failure_comes_with_its_sentence_and_code_1)
{
    EACH_METHOD(method)
    {
        hkt_process_options options = { .method = method, .name = "unlucky" };
        hkt_process *process;
        int result = 0;
        CHECK_EQ(hkt_process_spawn(&process, fail_with_a_sentence, NULL, 0, &options), 0);
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(hkt_process_result(process, &result), 0);
        CHECK_EQ(result, -EIO);
        CHECK_STR(hkt_sentence(result), "no luck in process unlucky");
        CHECK_EQ(end_of(process), 1);
        int big = 256, edge = 255;
        CHECK_EQ(end_of(start_by(method, return_as_told, HKT_ITEM(edge))), 255);
        process = start_by(method, return_as_told, HKT_ITEM(big));
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(hkt_process_result(process, &result), 0);
        CHECK_EQ(result, 256);
        CHECK_EQ(end_of(process), 1);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(before_its_start_a_process_can_only_be_started_and_given_back)
{
    hkt_process *process;
    int value;
    CHECK_EQ(hkt_process_create(&process, NULL, NULL, 0, NULL), -EINVAL);
    hkt_process_options wrong = { .method = (hkt_start_method)9 };
    CHECK_EQ(hkt_process_create(&process, compare, NULL, 0, &wrong), -EINVAL);
    CHECK_EQ(hkt_process_create(&process, compare, NULL, 0, NULL), 0);
    CHECK_EQ(hkt_process_join(process), -EINVAL);
    CHECK_EQ(hkt_process_exit_code(process, &value), -EINVAL);
    CHECK_EQ(hkt_process_result(process, &value), -EINVAL);
    CHECK_EQ(hkt_process_terminate(process), -EINVAL);
    CHECK_EQ(hkt_process_sentinel(process), -EINVAL);
    CHECK_EQ(hkt_process_pid(process), 0);
    CHECK(!hkt_process_is_alive(process));
    CHECK_EQ(hkt_process_start(process), 0);
    CHECK_EQ(hkt_process_start(process), -EALREADY);
    CHECK(hkt_process_pid(process) > 0);
    CHECK_EQ(end_of(process), 3);
    CHECK_EQ(hkt_process_create(&process, compare, NULL, 0, NULL), 0);
    hkt_process_destroy(process);
    hkt_process_destroy(NULL);
    CHECK_EQ(hkt_process_join(NULL), 0);
    CHECK_EQ(hkt_process_close(NULL), 0);
    CHECK_EQ(hkt_finalize(), 0);
}

struct selves {
    int *words;
    int parent;
};

static int tell_who(void *arg)
{
    struct selves *selves = arg;
    hkt_process *self = hkt_process_current(), *parent = hkt_process_parent();
    int code;
    CHECK_EQ(hkt_process_pid(self), getpid());
    CHECK_STR(hkt_process_name(self), "teller");
    CHECK(hkt_process_daemon(self));
    CHECK(hkt_process_is_alive(self));
    CHECK_EQ(hkt_process_exit_code(self, &code), -EBUSY);
    CHECK_EQ(hkt_process_join(self), -EDEADLK);
    CHECK(parent != NULL);
    CHECK_EQ(hkt_process_pid(parent), selves->parent);
    CHECK_STR(hkt_process_name(parent), "MainProcess");
    CHECK(hkt_process_is_alive(parent));
    CHECK_EQ(hkt_process_join_until(parent, hkt_after(0.01)), -ETIMEDOUT);
    CHECK_EQ(hkt_process_exit_code(parent, &code), -EBUSY);
    put(selves->words, getpid());
    return 0;
}

TEST(a_process_knows_itself_and_its_parent)
{
    struct selves selves = { .words = shared_words(1), .parent = getpid() };
    CHECK(hkt_process_parent() == NULL);
    CHECK_EQ(hkt_process_pid(hkt_process_current()), getpid());
    CHECK_STR(hkt_process_name(hkt_process_current()), "MainProcess");
    CHECK(!hkt_process_daemon(hkt_process_current()));
    EACH_METHOD(method)
    {
        hkt_process_options options = { .method = method, .name = "teller", .daemon = true };
        hkt_process *process;
        CHECK_EQ(hkt_process_spawn(&process, tell_who, HKT_ITEM(selves), &options), 0);
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(get(selves.words), hkt_process_pid(process));
        CHECK_EQ(end_of(process), 0);
    }
    hkt_shared_free(selves.words);
    CHECK_EQ(hkt_finalize(), 0);
}

static int wait_for_word(void *arg)
{
    await_word(arg);
    return 2;
}

TEST(one_that_runs_is_alive_and_listed_and_a_join_can_time_out)
{
    int *word = shared_words(1);
    EACH_METHOD(method)
    {
        put(word, 0);
        hkt_process *process = start_by(method, wait_for_word, word, 0), *listed[2];
        int value;
        CHECK(hkt_process_is_alive(process));
        CHECK_EQ(hkt_process_exit_code(process, &value), -EBUSY);
        CHECK_EQ(hkt_process_result(process, &value), -EBUSY);
        CHECK_EQ(hkt_process_close(process), -EBUSY);
        CHECK_EQ(hkt_process_join_until(process, hkt_after(0)), -ETIMEDOUT);
        CHECK_EQ(hkt_process_join_until(process, hkt_after(0.02)), -ETIMEDOUT);
        CHECK_EQ(hkt_process_active_children(NULL, 0), 1);
        CHECK_EQ(hkt_process_active_children(listed, 2), 1);
        CHECK(listed[0] == process);
        hkt_process_destroy(listed[0]);
        CHECK_EQ(hkt_finalize(), -EBUSY);
        put(word, 1);
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK(!hkt_process_is_alive(process));
        CHECK_EQ(hkt_process_active_children(NULL, 0), 0);
        CHECK_EQ(hkt_process_exit_code(process, &value), 0);
        CHECK_EQ(value, 2);
        CHECK_EQ(hkt_process_close(process), 0);
    }
    hkt_shared_free(word);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(children_are_listed_in_the_order_of_their_starts)
{
    int *word = shared_words(1);
    hkt_process *started[6], *listed[6];
    for (int i = 0; i < 6; i++)
        started[i] = start_by((hkt_start_method)(i % 3 + 1), wait_for_word, word, 0);
    CHECK_EQ(hkt_process_active_children(listed, 6), 6);
    for (int i = 0; i < 6; i++) {
        CHECK(listed[i] == started[i]);
        hkt_process_destroy(listed[i]);
    }
    put(word, 1);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(end_of(started[i]), 2);
    hkt_shared_free(word);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_join_can_be_cancelled)
{
    int *word = shared_words(1);
    EACH_METHOD(method)
    {
        put(word, 0);
        hkt_process *process = start_by(method, wait_for_word, word, 0);
        hkt_scope scope;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.02) });
        CHECK_EQ(hkt_process_join(process), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
        put(word, 1);
        CHECK_EQ(end_of(process), 2);
    }
    hkt_shared_free(word);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(the_sentinel_is_readable_from_the_end_on)
{
    int *word = shared_words(1);
    EACH_METHOD(method)
    {
        put(word, 0);
        int code = -1;
        hkt_process *process = start_by(method, wait_for_word, word, 0);
        struct pollfd look = { .fd = hkt_process_sentinel(process), .events = POLLIN };
        CHECK(look.fd >= 0);
        CHECK_EQ(hkt_process_sentinel(process), look.fd);
        CHECK_EQ(poll(&look, 1, 0), 0);
        put(word, 1);
        CHECK_EQ(poll(&look, 1, 20000), 1);
        CHECK_EQ(hkt_process_exit_code(process, &code), 0); /* at once */
        CHECK_EQ(code, 2);
        hkt_process_destroy(process);
        process = start_by(method, compare, NULL, 0);
        CHECK_EQ(hkt_process_join(process), 0);
        look.fd = hkt_process_sentinel(process); /* asked for afterwards */
        CHECK_EQ(poll(&look, 1, 20000), 1);
        CHECK_EQ(end_of(process), 3);
    }
    hkt_shared_free(word);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(names_and_methods)
{
    hkt_process *process;
    hkt_start_method methods[4];
    CHECK_EQ(hkt_process_start_method(), HKT_START_FORKSERVER);
    CHECK_EQ(hkt_process_start_methods(methods, 4), 3);
    CHECK_EQ(methods[0], HKT_START_FORKSERVER);
    CHECK_EQ(hkt_process_set_start_method((hkt_start_method)7), -EINVAL);
    CHECK_EQ(hkt_process_set_start_method(HKT_START_FORK), 0);
    CHECK_EQ(hkt_process_start_method(), HKT_START_FORK);
    CHECK_EQ(hkt_process_start_methods(methods, 1), 3);
    CHECK_EQ(methods[0], HKT_START_FORK);
    CHECK_STR(hkt_start_method_name(HKT_START_FORKSERVER), "forkserver");
    CHECK_STR(hkt_start_method_name(HKT_START_SPAWN), "spawn");
    CHECK_STR(hkt_start_method_name(HKT_START_FORK), "fork");
    CHECK_STR(hkt_start_method_name(HKT_START_DEFAULT), "default");
    CHECK_EQ(hkt_process_create(&process, compare, NULL, 0, NULL), 0);
    CHECK_STR(hkt_process_name(process), "Process-1");
    CHECK(!hkt_process_daemon(process));
    hkt_process_destroy(process);
    CHECK(hkt_cpu_count() >= hkt_process_cpu_count());
    CHECK(hkt_process_cpu_count() >= 1);
    CHECK_EQ(hkt_finalize(), 0);
}

struct fds {
    int passed, held;
    ino_t inode;
};

static int look_at_fds(void *arg)
{
    struct fds *fds = arg;
    struct stat status;
    CHECK_EQ(fstat(fds->passed, &status), 0);
    CHECK_EQ(status.st_ino, fds->inode);
    CHECK(fcntl(fds->held, F_GETFD) < 0);
    int open = 0;
    for (int fd = 3; fd < 1024; fd++)
        open += fcntl(fd, F_GETFD) >= 0;
    return open; /* the arena, and what was passed */
}

TEST(a_child_has_the_fds_that_are_passed_by_their_numbers_and_no_others)
{
    for (int method = HKT_START_FORKSERVER; method <= HKT_START_SPAWN; method++)
        for (int number = 3; number < 13; number++) {
            int ends[2];
            struct stat status;
            CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
            int passed = fcntl(ends[0], F_DUPFD_CLOEXEC, number);
            CHECK_EQ(fstat(passed, &status), 0);
            struct fds fds = { .passed = passed, .held = ends[1], .inode = status.st_ino };
            hkt_process_options options = { .method = (hkt_start_method)method,
                                            .pass_fds = &passed,
                                            .pass_fd_count = 1 };
            hkt_process *process;
            CHECK_EQ(hkt_process_spawn(&process, look_at_fds, HKT_ITEM(fds), &options), 0);
            CHECK_EQ(end_of(process), 2);
            close(ends[0]);
            close(ends[1]);
            close(passed);
        }
    CHECK_EQ(hkt_finalize(), 0);
}
