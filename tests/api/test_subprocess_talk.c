/* SPDX-License-Identifier: MIT */
/* hocket/subprocess.h: what goes through the pipes, in all sizes. */
#include "subprocesses.h"

TEST(a_program_sorts_lines)
{
    hkt_subprocess_result sorted = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("sort", "-n"), "3\n1\n2\n", 6, &sorted, NULL), 0);
    CHECK_STR(sorted.output, "1\n2\n3\n");
    CHECK_STR(sorted.error, "");
    CHECK_EQ(sorted.output_size, 6);
    CHECK_EQ(sorted.error_size, 0);
    hkt_subprocess_result_free(&sorted);
    check_finalized();
}

TEST(a_talk_by_lines)
{
    char line[64];
    hkt_subprocess_options options = { .input = HKT_REDIRECT_PIPE, .output = HKT_REDIRECT_PIPE };
    hkt_subprocess *child = must_exec(ARGV("cat"), &options);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(hkt_stream_printf(hkt_subprocess_input(child), "line %d\n", i), 0);
        CHECK_EQ(hkt_stream_read_line(hkt_subprocess_output(child), line, sizeof line), 7);
        CHECK_EQ(atoi(line + 5), i);
    }
    CHECK_EQ(hkt_stream_close(hkt_subprocess_input(child)), 0);
    CHECK_EQ(hkt_stream_read_line(hkt_subprocess_output(child), line, sizeof line), 0);
    CHECK_EQ(must_wait(child), 0);
    hkt_subprocess_destroy(child);
    check_finalized();
}

/* Bytes that are never the same for long. */
static char *make_bytes(size_t size)
{
    char *bytes = malloc(size);
    CHECK(bytes != NULL);
    uint64_t state = test_seed() | 1;
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + 1;
        bytes[i] = (char)(state >> 56);
    }
    return bytes;
}

TEST_TIMEOUT(ten_megabytes_go_through_a_program, 60)
{
    size_t size = (size_t)test_scaled(10000000);
    char *bytes = make_bytes(size);
    const char *const commands[] = { "cat", "cat >&2", "tee /dev/stderr" };
    for (int i = 0; i < 3; i++) {
        hkt_subprocess_result result = { 0 };
        CHECK_EQ(hkt_subprocess_run(ARGV("sh", "-c", commands[i]), bytes, size, &result, NULL), 0);
        CHECK_EQ(result.code, 0);
        CHECK_EQ(result.output_size, i == 1 ? 0 : size);
        CHECK_EQ(result.error_size, i == 0 ? 0 : size);
        CHECK(i == 1 || memcmp(result.output, bytes, size) == 0);
        CHECK(i == 0 || memcmp(result.error, bytes, size) == 0);
        CHECK_EQ(result.output[result.output_size], 0);
        CHECK_EQ(result.error[result.error_size], 0);
        CHECK(!result.truncated);
        hkt_subprocess_result_free(&result);
    }
    free(bytes);
    check_finalized();
}

/* Nobody reads; and somebody reads a little. SIGPIPE would end this process. */
TEST(a_program_need_not_take_its_input)
{
    size_t size = 3000000;
    char *bytes = make_bytes(size);
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("true"), bytes, size, &result, NULL), 0);
    CHECK_EQ(result.output_size, 0);
    hkt_subprocess_result_free(&result);
    CHECK_EQ(hkt_subprocess_run(ARGV("head", "-c", "10"), bytes, size, &result, NULL), 0);
    CHECK_EQ(result.output_size, 10);
    CHECK(memcmp(result.output, bytes, 10) == 0);
    hkt_subprocess_result_free(&result);
    CHECK_EQ(hkt_subprocess_run(ARGV("sh", "-c", "exec 0<&-; echo done; sleep 0.01; exit 3"), bytes,
                                size, &result, NULL),
             0);
    CHECK_STR(result.output, "done\n");
    CHECK_EQ(result.code, 3);
    hkt_subprocess_result_free(&result);
    free(bytes);
    check_finalized();
}

TEST(what_is_beyond_the_limit_is_dropped)
{
    for (size_t limit = 1; limit <= 100000; limit = limit * 7 + 1)
        for (size_t more = 0; more < 3; more++) {
            char command[64];
            hkt_subprocess_options options = { .limit = limit };
            hkt_subprocess_result result = { 0 };
            snprintf(command, sizeof command, "head -c %zu /dev/zero | tr '\\0' x",
                     limit - 1 + more);
            CHECK_EQ(hkt_subprocess_run(ARGV("sh", "-c", command), NULL, 0, &result, &options), 0);
            CHECK_EQ(result.output_size, more ? limit : limit - 1);
            CHECK_EQ(strlen(result.output), result.output_size);
            CHECK_EQ(result.truncated, more == 2);
            hkt_subprocess_result_free(&result);
        }
    check_finalized();
}

TEST(to_communicate_is_for_once)
{
    hkt_subprocess_result result = { 0 }, again = { 0 };
    hkt_subprocess_options options = { .input = HKT_REDIRECT_PIPE, .output = HKT_REDIRECT_PIPE };
    hkt_subprocess *child = must_exec(ARGV("cat"), &options);
    CHECK_EQ(hkt_stream_write(hkt_subprocess_input(child), "hello ", 6), 0);
    CHECK_EQ(hkt_subprocess_communicate(child, "world", 5, &result), 0);
    CHECK_STR(result.output, "hello world");
    CHECK(result.error == NULL);
    CHECK_EQ(hkt_subprocess_communicate(child, NULL, 0, &again), -EALREADY);
    CHECK(again.output == NULL);
    CHECK_EQ(must_wait(child), 0);
    hkt_subprocess_destroy(child);
    hkt_subprocess_result_free(&result);
    check_finalized();
}

/* Some was read by lines before, of which more is kept; and the input was closed. */
TEST(to_communicate_takes_what_is_left)
{
    char line[16];
    hkt_subprocess_result result = { 0 };
    hkt_subprocess_options options = { .input = HKT_REDIRECT_PIPE, .output = HKT_REDIRECT_PIPE };
    hkt_subprocess *child = must_shell("printf 'a\\nb\\nc\\n'; cat; exit 5", &options);
    CHECK_EQ(hkt_stream_read_line(hkt_subprocess_output(child), line, sizeof line), 2);
    CHECK_EQ(hkt_stream_close(hkt_subprocess_input(child)), 0);
    CHECK_EQ(hkt_subprocess_communicate(child, NULL, 0, &result), 0);
    CHECK_STR(result.output, "b\nc\n");
    CHECK_EQ(result.code, 5);
    hkt_subprocess_destroy(child);
    hkt_subprocess_result_free(&result);
    child = must_exec(ARGV("sh", "-c", "exit 6"), NULL); /* no pipes at all */
    CHECK_EQ(hkt_subprocess_communicate(child, NULL, 0, &result), 0);
    CHECK_EQ(result.code, 6);
    CHECK(result.output == NULL);
    hkt_subprocess_destroy(child);
    hkt_subprocess_result_free(&result);
    check_finalized();
}

struct talk {
    hkt_subprocess *child;
    hkt_subprocess_result result;
};

static int communicate(void *arg)
{
    struct talk *talk = arg;
    return hkt_subprocess_communicate(talk->child, NULL, 0, &talk->result);
}

TEST(what_was_read_before_a_cancel_is_there)
{
    struct caller caller;
    hkt_subprocess_options options = { .output = HKT_REDIRECT_PIPE, .error = HKT_REDIRECT_PIPE };
    struct talk talk = { .child = must_shell("echo out; echo err >&2; exec sleep 1000", &options) };
    caller_start(&caller, communicate, &talk);
    /* Both lines are read once nothing is in the pipes. */
    AWAIT(hkt_stream_taken(hkt_subprocess_output(talk.child)) == 4 &&
          hkt_stream_taken(hkt_subprocess_error(talk.child)) == 4);
    await_waiting_for(caller.thread, talk.child);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_STR(talk.result.output, "out\n");
    CHECK_STR(talk.result.error, "err\n");
    hkt_subprocess_result_free(&talk.result);
    CHECK_EQ(hkt_subprocess_send_signal(talk.child, SIGINT), 0); /* it runs on */
    CHECK_EQ(must_wait(talk.child), -SIGINT);
    hkt_subprocess_destroy(talk.child);
    check_finalized();
}

TEST_TIMEOUT(a_gigabyte_of_output_is_read_and_dropped, 60)
{
    char count[32];
    size_t size = (size_t)test_scaled(1000000000);
    snprintf(count, sizeof count, "%zu", size);
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("head", "-c", count, "/dev/zero"), NULL, 0, &result, NULL), 0);
    size_t limit = (size_t)64 << 20;
    CHECK_EQ(result.output_size, size < limit ? size : limit);
    CHECK_EQ(result.truncated, size > limit);
    CHECK_EQ(result.code, 0);
    hkt_subprocess_result_free(&result);
    check_finalized();
}

TEST(a_cancel_ends_an_output_without_end)
{
    struct caller caller;
    hkt_subprocess_options options = { .output = HKT_REDIRECT_PIPE, .limit = 1000 };
    struct talk talk = { .child = must_exec(ARGV("cat", "/dev/zero"), &options) };
    caller_start(&caller, communicate, &talk);
    AWAIT(hkt_stream_taken(hkt_subprocess_output(talk.child)) > 1000000);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_EQ(talk.result.output_size, 1000);
    CHECK(talk.result.truncated);
    hkt_subprocess_result_free(&talk.result);
    CHECK_EQ(must_end(talk.child), -SIGTERM);
    hkt_subprocess_destroy(talk.child);
    check_finalized();
}

TEST(a_hundred_children_at_once)
{
    hkt_subprocess *children[100];
    for (int i = 0; i < 100; i++)
        children[i] = must_exec(ARGV("cat"), &pipes);
    for (int i = 0; i < 100; i++) {
        char text[16];
        hkt_subprocess_result result = { 0 };
        snprintf(text, sizeof text, "%d", i);
        CHECK_EQ(hkt_subprocess_communicate(children[i], text, strlen(text), &result), 0);
        CHECK_STR(result.output, text);
        hkt_subprocess_result_free(&result);
        hkt_subprocess_destroy(children[i]);
    }
    check_finalized();
}

/* A pipe that we have closed lives on in a child of somebody's fork, and hangs up there; who waits
 * for the others is not kept busy by that. */
TEST(a_pipe_that_a_fork_has_copied_is_not_looked_at)
{
    static char much[1000000];
    int gate[2], status;
    hkt_subprocess_result result = { 0 };
    hkt_subprocess_options options = pipes;
    options.error = HKT_REDIRECT_PIPE;
    CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    hkt_subprocess *child = must_shell("exec >&-; sleep 0.3; exec cat >&2", &options);
    int input = hkt_stream_fd(hkt_subprocess_input(child));
    pid_t copy = fork();
    if (copy == 0) {
        close(input); /* or it had no end */
        close(gate[1]);
        _exit(read(gate[0], &status, 1) == 0 ? 0 : 1);
    }
    double before = cpu_seconds();
    CHECK_EQ(hkt_subprocess_communicate(child, much, sizeof much, &result), 0);
    check_idle_since(before);
    CHECK_EQ(result.output_size, 0);
    CHECK_EQ(result.error_size, sizeof much);
    close(gate[1]);
    close(gate[0]);
    CHECK_EQ(waitpid(copy, &status, 0), copy);
    CHECK_EQ(status, 0);
    hkt_subprocess_result_free(&result);
    hkt_subprocess_destroy(child);
    check_finalized();
}

static int run_and_check(void *arg)
{
    struct run *run = arg;
    int err = run_it(run);
    if (err == 0) {
        CHECK_EQ(run->result.output_size, run->size);
        CHECK(memcmp(run->result.output, run->input, run->size) == 0);
        hkt_subprocess_result_free(&run->result);
    }
    return err;
}

TEST_TIMEOUT(many_run_at_once, 60)
{
    static char input[100000];
    struct run runs[32];
    char *const *cat = ARGV("cat");
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (char)(i * i >> 8);
    for (long round = 0; round < test_scaled(4); round++) {
        for (size_t i = 0; i < 32; i++)
            runs[i] = (struct run){ .argv = cat, .input = input, .size = sizeof input - i * 1000 };
        call_in_threads(32, run_and_check, runs, sizeof *runs);
        CHECK_EQ(hkt_map(NULL, run_and_check, HKT_ARRAY(runs)), 0); /* in a pool */
    }
    check_finalized();
}
