/* SPDX-License-Identifier: MIT */
/* Named shared memory on bad days: owners that are killed at any moment, sweeps at the same time,
 * what others have planted, and no memory, fds or folder. Children are raw forks of a test that has
 * no threads. */
#include <sched.h>
#include <sys/mount.h>

#include "random.h"
#include "scarce.h"
#include "segments.h"

static void create_often(const char *name)
{
    for (;;) {
        hkt_shared_memory *segment;
        if (hkt_shared_memory_create(&segment, name, 3 << 20) == 0)
            hkt_shared_memory_destroy(segment);
    }
}

/* Whenever it is killed, nothing half made is ever seen, and nothing is left. */
TEST_TIMEOUT(who_is_killed_while_he_creates_leaves_nothing_half_made, 100)
{
    struct test_random random = random_of(1);
    for (long i = 0; i < test_scaled(40); i++) {
        int status;
        const char *name = name_of((int)(i % 2));
        pid_t child = fork();
        if (child == 0)
            create_often(name);
        CHECK_EQ(usleep((useconds_t)random_below(&random, 4000)), 0);
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(waitpid(child, &status, 0), child);
        hkt_shared_memory *segment = NULL;
        CHECK_EQ(hkt_shared_memory_open(&segment, name), -ENOENT);
        CHECK(!is_there(name));
    }
    check_finalized();
}

/* Many sweep, create and are killed at one name: whoever has it, has it until he gives it back. */
static void fight(const char *name)
{
    hkt_shared_memory *segment;
    for (int i = 0; i < 200; i++) {
        if (hkt_shared_memory_create(&segment, name, 100) < 0)
            continue;
        if (!is_there(name))
            _exit(3); /* somebody has removed what was not his */
        if (i % 3 == 0)
            kill(getpid(), SIGKILL);
        hkt_shared_memory_destroy(segment);
    }
    _exit(0);
}

TEST_TIMEOUT(sweeps_at_the_same_time_remove_only_what_was_left, 100)
{
    for (long i = 0; i < test_scaled(40); i++) {
        pid_t children[6];
        for (int j = 0; j < 6; j++) {
            children[j] = fork();
            if (children[j] == 0)
                fight(name_of(0));
        }
        for (int j = 0; j < 6; j++) {
            int status;
            CHECK_EQ(waitpid(children[j], &status, 0), children[j]);
            CHECK(WIFSIGNALED(status) || status == 0);
        }
    }
    (void)hkt_shared_memory_sweep();
    CHECK(!is_there(name_of(0)));
    check_finalized();
}

/* What others may have planted at a name. */
static void check_refused(int err)
{
    hkt_shared_memory *segment = NULL;
    CHECK_EQ(hkt_shared_memory_open(&segment, name_of(0)), err);
    CHECK_EQ(hkt_shared_memory_create(&segment, name_of(0), 1), -EEXIST);
    (void)hkt_shared_memory_sweep();
    CHECK(segment == NULL);
}

TEST(what_is_planted_at_a_name_is_refused_and_left_alone)
{
    const char *file = file_of(name_of(0));
    hkt_shared_memory *good = must_create(name_of(1), 100);
    char target[300];
    snprintf(target, sizeof target, "/dev/shm/hocket.%s", name_of(1) + 1);
    CHECK_EQ(symlink(target, file), 0);
    check_refused(-EACCES);
    CHECK_EQ(unlink(file), 0);
    CHECK_EQ(mkfifo(file, 0600), 0);
    check_refused(-EACCES);
    CHECK_EQ(unlink(file), 0);
    CHECK_EQ(mkdir(file, 0700), 0);
    check_refused(-EACCES);
    CHECK_EQ(rmdir(file), 0);
    /* Files: others may write it; empty; with something else in it; a segment's head alone. */
    for (int i = 0; i < 4; i++) {
        char bytes[5000] = { 'x' };
        int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        CHECK_EQ(fchmod(fd, i ? 0600 : 0666), 0);
        int from = open(target, O_RDONLY | O_CLOEXEC);
        if (i == 3)
            CHECK_EQ(read(from, bytes, 100), 100);
        if (i != 1)
            CHECK_EQ(write(fd, bytes, i == 3 ? 100 : sizeof bytes), i == 3 ? 100 : 5000);
        CHECK_EQ(close(fd) + close(from), 0);
        check_refused(i ? -EBADMSG : -EACCES);
        CHECK_EQ(unlink(file), 0);
    }
    hkt_shared_memory_destroy(good);
    check_finalized();
}

TEST(another_users_segment_is_refused)
{
    if (geteuid() != 0)
        TEST_SKIP("only root can give a file away");
    hkt_shared_memory *mine = must_create(name_of(0), 100), *segment = NULL;
    CHECK_EQ(hkt_shared_memory_disown(mine), 0);
    CHECK_EQ(chown(file_of(name_of(0)), 12345, 12345), 0);
    CHECK_EQ(hkt_shared_memory_open(&segment, name_of(0)), -EACCES);
    CHECK(strstr(hkt_sentence(-EACCES), "another user's") != NULL);
    (void)hkt_shared_memory_sweep();
    CHECK(is_there(name_of(0)));
    CHECK_EQ(unlink(file_of(name_of(0))), 0);
    hkt_shared_memory_destroy(mine);
    check_finalized();
}

TEST(more_than_there_is_is_no_memory_at_once)
{
    hkt_shared_memory *segment = NULL;
    const size_t sizes[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4, (size_t)1 << 50 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        CHECK_EQ(hkt_shared_memory_create(&segment, name_of(0), sizes[i]), -ENOMEM);
    CHECK(strstr(hkt_sentence(-ENOMEM), "/dev/shm has no room for a segment of") != NULL);
    CHECK(!is_there(name_of(0)) && segment == NULL);
    check_finalized();
}

/* In a child that has a /dev of its own. */
static bool have_own_mounts(void)
{
    return unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void fill_a_small_folder(const char *name)
{
    hkt_shared_memory *segment[100];
    int count = 0, err = 0;
    (void)name;
    if (!have_own_mounts() || mount("none", "/dev/shm", "tmpfs", 0, "size=1m") < 0)
        _exit(77);
    CHECK_EQ(hkt_shared_memory_create(&segment[0], NULL, 2 << 20), -ENOMEM);
    while (count < 100 && (err = hkt_shared_memory_create(&segment[count], NULL, 50000)) == 0)
        count++;
    CHECK_EQ(err, -ENOMEM);
    CHECK(count > 5 && count < 100);
    for (int i = 0; i < count; i++)
        memset(hkt_shared_memory_bytes(segment[i]), 1, 50000); /* it is all there */
    hkt_shared_memory_destroy(segment[0]);
    CHECK_EQ(hkt_shared_memory_create(&segment[0], NULL, 50000), 0);
    exit(0);
}

static void do_without_the_folder(const char *name)
{
    hkt_shared_memory *segment;
    if (!have_own_mounts() || mount("none", "/dev", "tmpfs", 0, "size=1m") < 0)
        _exit(77);
    CHECK_EQ(hkt_shared_memory_create(&segment, name, 1), -ENOENT);
    CHECK_STR(hkt_sentence(-ENOENT), "this system has no /dev/shm: mount a tmpfs there");
    CHECK_EQ(hkt_shared_memory_open(&segment, name), -ENOENT);
    CHECK_EQ(hkt_shared_memory_sweep(), 0);
    exit(0);
}

TEST(a_full_folder_is_no_memory_and_an_absent_one_is_told)
{
    int full = in_child(name_of(0), fill_a_small_folder);
    int absent = in_child(name_of(0), do_without_the_folder);
    if (WEXITSTATUS(full) == 77)
        TEST_SKIP("this system lets nobody mount");
    CHECK_EQ(full, 0);
    CHECK_EQ(absent, 0);
    check_finalized();
}

static int make_and_open(void *arg)
{
    hkt_shared_memory *mine, *other;
    (void)arg;
    int err = hkt_shared_memory_create(&mine, name_of(0), 100);
    if (err < 0)
        return err;
    err = hkt_shared_memory_open(&other, name_of(0));
    hkt_shared_memory_destroy(mine);
    if (err == 0)
        hkt_shared_memory_destroy(other);
    CHECK(!is_there(name_of(0)));
    return err;
}

TEST(without_memory_nothing_is_left_in_the_folder)
{
    with_scarce_memory(ON_THREAD, make_and_open);
    with_scarce_memory(IN_LOOP, make_and_open);
}

TEST(without_fds_it_says_so)
{
    struct rlimit before, none;
    hkt_shared_memory *segment = NULL;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(hkt_shared_memory_create(&segment, name_of(0), 1), -EMFILE);
    CHECK_EQ(hkt_shared_memory_open(&segment, name_of(0)), -EMFILE);
    CHECK_EQ(hkt_shared_memory_sweep(), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    check_finalized();
}

/* Several threads at a time, each with names of its own and one that all want. */
static int make_many(void *arg)
{
    atomic_int *next = arg;
    for (int i = 0; i < 50; i++) {
        hkt_shared_memory *own = NULL, *common = NULL;
        CHECK_EQ(hkt_shared_memory_create(&own, NULL, 100), 0);
        int err = hkt_shared_memory_create(&common, name_of(3), 100);
        CHECK(err == 0 || err == -EEXIST);
        if (err == 0)
            CHECK_EQ(atomic_fetch_add(next, 1), 0); /* nobody else has it */
        CHECK_EQ(*(char *)hkt_shared_memory_bytes(own), 0);
        if (err == 0)
            CHECK_EQ(atomic_fetch_sub(next, 1), 1);
        hkt_shared_memory_destroy(common);
        hkt_shared_memory_destroy(own);
    }
    return 0;
}

TEST(threads_make_segments_at_the_same_time)
{
    atomic_int owners = 0;
    hkt_thread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = must_spawn(make_many, &owners, NULL);
    for (int i = 0; i < 4; i++)
        must_join(threads[i]);
    check_finalized();
}
