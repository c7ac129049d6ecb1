/* SPDX-License-Identifier: MIT */
/* The arena's heap against a model, and the arena where the system refuses something. */
#include <errno.h>
#include <fcntl.h>
#include <hocket.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heaps.h"
#include "random.h"

#define THREADS 4
#define OBJECTS 300

/* Sizes as programs have them, and now and then a large one. */
static size_t random_size(struct test_random *random)
{
    static const size_t up_to[] = { 64, 64, 300, 300, 2000, 5000, 40000, 300000 };
    return random_below(random, up_to[random_below(random, 8)]);
}

static void check_alignment(const char *memory, size_t size)
{
    CHECK_EQ((uintptr_t)memory % (size >= 64 ? 64 : 16), 0);
    CHECK(hkt_shared_contains(memory));
    CHECK(hkti_shared_size(memory) >= size);
}

/* Objects in hand; each is full of a number of its own. */
static int run_model(void *arg)
{
    struct test_random random = random_of((uintptr_t)arg);
    struct {
        unsigned char *memory;
        size_t size;
        unsigned char sign;
    } objects[OBJECTS] = { 0 };
    for (long i = 0, n = test_scaled(60000); i < n; i++) {
        size_t which = random_below(&random, OBJECTS);
        for (size_t at = 0; objects[which].memory && at < objects[which].size; at++)
            if (objects[which].memory[at] != objects[which].sign)
                test_fail(__FILE__, __LINE__, "an object has changed");
        hkt_shared_free(objects[which].memory);
        objects[which].memory = NULL;
        if (random_below(&random, 3) == 0)
            continue;
        objects[which].size = random_size(&random);
        objects[which].sign = (unsigned char)random_next(&random);
        objects[which].memory = hkt_shared_alloc(objects[which].size);
        CHECK(objects[which].memory);
        check_alignment((char *)objects[which].memory, objects[which].size);
        for (size_t at = 0; at < objects[which].size; at++)
            if (objects[which].memory[at] != 0)
                test_fail(__FILE__, __LINE__, "what was allocated is not zero");
        memset(objects[which].memory, objects[which].sign, objects[which].size);
    }
    for (int i = 0; i < OBJECTS; i++)
        hkt_shared_free(objects[i].memory);
    return 0;
}

TEST_TIMEOUT(the_heap_does_as_its_model_does, 60)
{
    hkt_thread *threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], run_model, (void *)i, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        hkt_thread_destroy(threads[i]);
    }
    CHECK_EQ(hkt_shared_used(), 0);
    check_heap();
    CHECK_EQ(hkt_finalize(), 0);
}

/* One of each kind of size, and what it counts as. */
TEST(sizes_are_rounded_up_by_a_quarter_at_the_most)
{
    for (size_t size = 1; size < 200000; size += size < 4000 ? 1 : 97) {
        void *memory = hkt_shared_alloc(size);
        size_t rounded = hkti_shared_size(memory);
        check_alignment(memory, size);
        CHECK_EQ(hkt_shared_used(), rounded);
        if (size > 256 && size <= 32768)
            CHECK(rounded <= size + size / 4 + 1);
        hkt_shared_free(memory);
        CHECK_EQ(hkt_shared_used(), 0);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(memory_that_was_freed_is_used_again)
{
    enum { N = 5000 };
    static void *objects[N];
    uint32_t top = 0;
    for (int round = 0; round < 8; round++) {
        size_t size = (size_t)16 << round;
        for (int i = 0; i < N; i++)
            CHECK(objects[i] = hkt_shared_alloc(size));
        for (int i = 0; i < N; i++)
            hkt_shared_free(objects[i]);
        top = hkti_span_top();
    }
    for (int i = 0; i < N; i++)
        CHECK(objects[i] = hkt_shared_alloc(1000));
    for (int i = 0; i < N; i++)
        hkt_shared_free(objects[i]);
    CHECK_EQ(hkti_span_top(), top);
    CHECK_EQ(hkt_shared_used(), 0);
    check_heap();
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_gibibyte_can_be_had_at_once)
{
    size_t size = (size_t)1 << 30;
    CHECK_EQ(hkti_arena_open(), 0);
    if (hkt_shared_capacity() < 2 * size)
        TEST_SKIP("there are not as many addresses");
    char *memory = hkt_shared_alloc(size);
    if (memory == NULL)
        TEST_SKIP("there is not as much memory");
    for (size_t at = 0; at < size; at += 4096)
        CHECK_EQ(memory[at]++, 0);
    hkt_shared_free(memory);
    memory = hkt_shared_alloc(size / 2);
    for (size_t at = 0; at < size / 2; at += 4096)
        CHECK_EQ(memory[at], 0);
    hkt_shared_free(memory);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(more_than_there_can_be_is_refused_with_a_sentence)
{
    CHECK(hkt_shared_alloc(SIZE_MAX) == NULL);
    CHECK(strstr(hkt_sentence(-ENOMEM), "bytes of shared memory"));
    CHECK(hkt_shared_alloc(hkt_shared_capacity() + 1) == NULL);
    CHECK_EQ(hkt_shared_used(), 0);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(the_arena_is_made_again_after_the_end)
{
    for (int i = 0; i < 3; i++) {
        char *memory = hkt_shared_alloc(100);
        CHECK(memory);
        memory[99] = 1;
        CHECK_EQ(hkt_finalize(), -EBUSY);
        CHECK_EQ(memory[99], 1);
        hkt_shared_free(memory);
        CHECK_EQ(hkt_finalize(), 0);
        CHECK(!hkti_arena_is_open());
        CHECK(!hkt_shared_contains(memory));
    }
}

/* In a child of its own. */
static void in_child(void (*body)(void))
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        body();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void limit(int what, rlim_t most)
{
    CHECK_EQ(setrlimit(what, &(struct rlimit){ most, most }), 0);
}

static void use(size_t least)
{
    char *memory = hkt_shared_alloc(100000);
    CHECK(memory);
    CHECK(hkt_shared_capacity() >= least);
    memory[99999] = 1;
    hkt_shared_free(memory);
    CHECK_EQ(hkt_finalize(), 0);
}

static void with_few_addresses(void)
{
    limit(RLIMIT_AS, (rlim_t)400 << 20);
    use((size_t)64 << 20);
}

static void with_too_few_addresses(void)
{
    limit(RLIMIT_AS, (rlim_t)50 << 20);
    CHECK(hkt_shared_alloc(8) == NULL);
    CHECK(strstr(hkt_sentence(-ENOMEM), "ulimit -v"));
    CHECK(!hkti_arena_is_open());
}

static void with_short_files(void)
{
    limit(RLIMIT_FSIZE, (rlim_t)1 << 30);
    use((size_t)500 << 20);
}

static void with_too_short_files(void)
{
    limit(RLIMIT_FSIZE, 1 << 20);
    CHECK(hkt_shared_alloc(8) == NULL);
    CHECK(strstr(hkt_sentence(-ENOMEM), "ulimit -v"));
}

static void without_fds(void)
{
    limit(RLIMIT_NOFILE, 3);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    CHECK(hkt_shared_alloc(8) == NULL);
    CHECK(hkt_sentence(-EMFILE));
    CHECK(!hkti_arena_is_open());
}

TEST(limits_of_a_process_are_kept)
{
    if (!can_limit_addresses())
        TEST_SKIP("a sanitizer has all addresses");
    in_child(with_few_addresses);
    in_child(with_too_few_addresses);
    in_child(with_short_files);
    in_child(with_too_short_files);
    in_child(without_fds);
}

/* The call is refused from now on, as sandboxes do. */
static void refuse(int call, int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void without_memfd(void)
{
    refuse(SYS_memfd_create, EPERM);
    use((size_t)64 << 20);
}

static void without_fallocate(void)
{
    refuse(SYS_fallocate, EOPNOTSUPP);
    use((size_t)64 << 20);
}

static void without_files(void)
{
    refuse(SYS_memfd_create, ENOSYS);
    refuse(SYS_openat, EACCES);
    CHECK(hkt_shared_alloc(8) == NULL);
    CHECK(strstr(hkt_sentence(-EACCES), "memfd_create, /dev/shm and /tmp"));
}

/* As when all is full. */
static void without_memory(void)
{
    char *memory = hkt_shared_alloc(1000);
    CHECK(memory);
    refuse(SYS_fallocate, ENOSPC);
    CHECK(hkt_shared_alloc(20000) == NULL);
    CHECK(strstr(hkt_sentence(-ENOMEM), "the system's memory is full"));
    CHECK(hkt_shared_alloc(200000) == NULL);
    CHECK(hkt_shared_alloc(2000000) == NULL);
    char *another = hkt_shared_alloc(1000); /* there is room in what is there */
    CHECK(another);
    hkt_shared_free(another);
    check_heap();
    hkt_shared_free(memory);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK(hkt_shared_alloc(1000) == NULL);
    CHECK(!hkti_arena_is_open());
}

TEST(what_a_sandbox_refuses_is_done_otherwise_or_told)
{
    if (!can_filter_calls())
        TEST_SKIP("calls cannot be refused here");
    in_child(without_memfd);
    in_child(without_fallocate);
    in_child(without_files);
    in_child(without_memory);
}

static void with_a_taken_address(void)
{
    CHECK(map_something_at(HKTI_ARENA_BASE + ((size_t)32 << 20)));
    CHECK(hkt_shared_alloc(8) == NULL);
    CHECK(strstr(hkt_sentence(-ENOMEM), "something else is mapped there"));
}

TEST(addresses_that_are_taken_are_told)
{
    in_child(with_a_taken_address);
}

TEST_ABORTS(freeing_twice_is_misuse, "is not allocated")
{
    char *memory = hkt_shared_alloc(100);
    hkt_shared_free(memory);
    hkt_shared_free(memory);
}

TEST_ABORTS(freeing_something_large_twice_is_misuse, "is not allocated")
{
    char *memory = hkt_shared_alloc(1000000);
    hkt_shared_free(memory);
    hkt_shared_free(memory);
}

TEST_ABORTS(freeing_the_middle_is_misuse, "in the middle of an object")
{
    char *memory = hkt_shared_alloc(1000);
    hkt_shared_free(memory + 64);
}

TEST_ABORTS(freeing_the_middle_of_something_large_is_misuse, "is not allocated")
{
    char *memory = hkt_shared_alloc(1000000);
    hkt_shared_free(memory + HKTI_SPAN);
}

TEST_ABORTS(freeing_what_is_not_shared_is_misuse, "is not in shared memory")
{
    int number = 0;
    hkt_shared_free(&number);
}
