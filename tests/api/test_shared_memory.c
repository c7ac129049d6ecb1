/* SPDX-License-Identifier: MIT */
/* Named shared memory: names, owners, and what is left by those who were killed. Children are raw
 * forks of a test that has no threads. */
#include "segments.h"

TEST(a_segment_is_zero_and_what_one_writes_the_other_reads)
{
    hkt_shared_memory *mine = must_create(name_of(0), 10000);
    hkt_shared_memory *other = must_open_segment(name_of(0));
    unsigned char *bytes = hkt_shared_memory_bytes(mine), *seen = hkt_shared_memory_bytes(other);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK_EQ((uintptr_t)bytes % page, 0);
    CHECK_EQ((uintptr_t)seen % page, 0);
    CHECK(bytes != seen);
    for (int i = 0; i < 10000; i++)
        CHECK_EQ(seen[i], 0);
    memset(bytes, 7, 10000);
    for (int i = 0; i < 10000; i++)
        CHECK_EQ(seen[i], 7);
    CHECK_EQ(hkt_shared_memory_size(mine), 10000);
    CHECK_EQ(hkt_shared_memory_size(other), 10000);
    CHECK_STR(hkt_shared_memory_name(mine), name_of(0));
    CHECK_STR(hkt_shared_memory_name(other), name_of(0));
    CHECK(hkt_shared_memory_is_owner(mine) && !hkt_shared_memory_is_owner(other));
    hkt_shared_memory_destroy(mine);
    CHECK(!is_there(name_of(0)));
    CHECK_EQ(seen[9999], 7); /* who has it keeps it */
    hkt_shared_memory_destroy(other);
    hkt_shared_memory_destroy(NULL);
    check_finalized();
}

TEST(a_file_is_the_users_alone_whatever_the_umask_is)
{
    struct stat about;
    mode_t before = umask(0777);
    hkt_shared_memory *segment = must_create(name_of(0), 1);
    umask(before);
    CHECK_EQ(stat(file_of(name_of(0)), &about), 0);
    CHECK_EQ(about.st_mode, S_IFREG | 0600);
    hkt_shared_memory_destroy(segment);
    check_finalized();
}

TEST(a_name_is_chosen_that_is_free)
{
    hkt_shared_memory *one = must_create(NULL, 1), *two = must_create(NULL, 1);
    CHECK(strcmp(hkt_shared_memory_name(one), hkt_shared_memory_name(two)) != 0);
    hkt_shared_memory *again = must_open_segment(hkt_shared_memory_name(two));
    *(char *)hkt_shared_memory_bytes(two) = 5;
    CHECK_EQ(*(char *)hkt_shared_memory_bytes(again), 5);
    hkt_shared_memory_destroy(one);
    hkt_shared_memory_destroy(two);
    hkt_shared_memory_destroy(again);
    check_finalized();
}

TEST(names_that_are_none_are_refused)
{
    char longest[203];
    memset(longest, 'x', 202);
    memcpy(longest, name_of(0), strlen(name_of(0)));
    longest[202] = 0; /* 201 letters */
    const char *const wrong[] = { "",      "/",    "x",   "frames",    "/a/b",
                                  "/../x", "/a b", "/\n", "/\xc3\xa4", longest };
    hkt_shared_memory *segment = NULL;
    errno = 4711;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_EQ(hkt_shared_memory_create(&segment, wrong[i], 1), -EINVAL);
        CHECK_EQ(hkt_shared_memory_open(&segment, wrong[i]), -EINVAL);
    }
    CHECK_EQ(hkt_shared_memory_open(&segment, NULL), -EINVAL);
    CHECK_EQ(hkt_shared_memory_create(&segment, name_of(0), 0), -EINVAL);
    CHECK(segment == NULL);
    longest[201] = 0;
    segment = must_create(longest, 1);
    hkt_shared_memory_destroy(segment);
    CHECK_EQ(errno, 4711);
    check_finalized();
}

TEST(a_name_is_given_once_and_what_is_not_there_is_not_opened)
{
    hkt_shared_memory *segment = must_create(name_of(0), 5), *other = NULL;
    CHECK_EQ(hkt_shared_memory_create(&other, name_of(0), 5), -EEXIST);
    CHECK(strstr(hkt_sentence(-EEXIST), name_of(0)) != NULL);
    CHECK_EQ(hkt_shared_memory_open(&other, name_of(1)), -ENOENT);
    hkt_shared_memory_destroy(segment);
    CHECK_EQ(hkt_shared_memory_open(&other, name_of(0)), -ENOENT);
    CHECK(other == NULL);
    check_finalized();
}

TEST(the_owner_and_nobody_else_removes_the_name)
{
    hkt_shared_memory *mine = must_create(name_of(0), 5);
    hkt_shared_memory *other = must_open_segment(name_of(0));
    CHECK_EQ(hkt_shared_memory_unlink(other), -EPERM);
    CHECK_EQ(hkt_shared_memory_disown(other), -EPERM);
    hkt_shared_memory_destroy(other);
    CHECK(is_there(name_of(0)));
    CHECK_EQ(hkt_shared_memory_unlink(mine), 0);
    CHECK(!is_there(name_of(0)));
    CHECK_EQ(hkt_shared_memory_unlink(mine), -ENOENT);
    /* A later segment of that name is another one. */
    hkt_shared_memory *later = must_create(name_of(0), 5);
    CHECK_EQ(hkt_shared_memory_unlink(mine), -ENOENT);
    hkt_shared_memory_destroy(mine);
    CHECK(is_there(name_of(0)));
    hkt_shared_memory_destroy(later);
    CHECK(!is_there(name_of(0)));
    check_finalized();
}

TEST(what_is_disowned_is_left_and_swept_by_nobody)
{
    hkt_shared_memory *mine = must_create(name_of(0), 5);
    CHECK_EQ(hkt_shared_memory_disown(mine), 0);
    CHECK(!hkt_shared_memory_is_owner(mine));
    CHECK_EQ(hkt_shared_memory_disown(mine), -EPERM);
    CHECK_EQ(hkt_shared_memory_unlink(mine), -EPERM);
    hkt_shared_memory_destroy(mine);
    CHECK(is_there(name_of(0)));
    (void)hkt_shared_memory_sweep();
    hkt_shared_memory *other = must_open_segment(name_of(0));
    CHECK(!hkt_shared_memory_is_owner(other));
    hkt_shared_memory_destroy(other);
    CHECK_EQ(unlink(file_of(name_of(0))), 0);
    check_finalized();
}

static void create_and_exit(const char *name)
{
    hkt_shared_memory *segment;
    exit(hkt_shared_memory_create(&segment, name, 100) < 0);
}

TEST(the_owners_exit_removes_the_name)
{
    CHECK_EQ(in_child(name_of(0), create_and_exit), 0);
    CHECK(!is_there(name_of(0)));
    check_finalized();
}

static void create_and_be_killed(const char *name)
{
    hkt_shared_memory *segment;
    if (hkt_shared_memory_create(&segment, name, 100) == 0)
        kill(getpid(), SIGKILL);
}

static void disown_and_be_killed(const char *name)
{
    hkt_shared_memory *segment;
    if (hkt_shared_memory_create(&segment, name, 100) == 0 &&
        hkt_shared_memory_disown(segment) == 0)
        kill(getpid(), SIGKILL);
}

TEST(what_a_killed_owner_left_is_swept_by_a_call_for_it)
{
    CHECK_EQ(WTERMSIG(in_child(name_of(0), create_and_be_killed)), SIGKILL);
    /* It may be gone by now, for other tests sweep too: so how many there were is not known. */
    CHECK(hkt_shared_memory_sweep() >= 0);
    CHECK(!is_there(name_of(0)));
    check_finalized();
}

TEST(what_a_killed_owner_left_is_swept_by_who_creates_or_opens)
{
    hkt_shared_memory *segment = NULL;
    CHECK_EQ(WTERMSIG(in_child(name_of(0), create_and_be_killed)), SIGKILL);
    CHECK_EQ(hkt_shared_memory_open(&segment, name_of(0)), -ENOENT);
    CHECK_EQ(WTERMSIG(in_child(name_of(0), create_and_be_killed)), SIGKILL);
    segment = must_create(name_of(0), 5);
    CHECK(hkt_shared_memory_is_owner(segment));
    hkt_shared_memory_destroy(segment);
    check_finalized();
}

TEST(what_a_killed_owner_had_disowned_stays)
{
    CHECK_EQ(WTERMSIG(in_child(name_of(0), disown_and_be_killed)), SIGKILL);
    (void)hkt_shared_memory_sweep();
    hkt_shared_memory *segment = must_open_segment(name_of(0));
    hkt_shared_memory_destroy(segment);
    CHECK_EQ(unlink(file_of(name_of(0))), 0);
    check_finalized();
}

/* Killed, and not waited for: it is gone all the same. */
TEST(a_zombie_owns_nothing)
{
    siginfo_t info;
    int status;
    pid_t child = fork();
    if (child == 0) {
        create_and_be_killed(name_of(0));
        _exit(7);
    }
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    (void)hkt_shared_memory_sweep();
    CHECK(!is_there(name_of(0)));
    CHECK_EQ(waitpid(child, &status, 0), child);
    check_finalized();
}

TEST(a_copy_by_fork_owns_nothing_of_its_parents)
{
    hkt_shared_memory *mine = must_create(name_of(0), 100);
    int status;
    pid_t child = fork();
    if (child == 0) {
        bool good = !hkt_shared_memory_is_owner(mine) && hkt_shared_memory_unlink(mine) == -EPERM &&
                    hkt_shared_memory_disown(mine) == -EPERM;
        strcpy(hkt_shared_memory_bytes(mine), "the child was here");
        hkt_shared_memory_destroy(mine);
        exit(good ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(is_there(name_of(0)));
    CHECK_STR(hkt_shared_memory_bytes(mine), "the child was here");
    (void)hkt_shared_memory_sweep();
    CHECK(is_there(name_of(0)));
    hkt_shared_memory_destroy(mine);
    CHECK(!is_there(name_of(0)));
    check_finalized();
}
