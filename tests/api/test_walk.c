/* SPDX-License-Identifier: MIT */
/* hocket/file.h: walking folders. */
#include <fcntl.h>
#include <limits.h>

#include "files.h"
#include "scarce.h"

static void must_make(const char *path)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    CHECK_EQ(mkdir(whole, 0755), 0);
}

static void must_touch(const char *path)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    int fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    close(fd);
}

static void must_link(const char *to, const char *path)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    CHECK_EQ(symlink(to, whole), 0);
}

/* Folders, files, links to both, one to itself, a pipe; in this order if sorted by their bytes. */
static void plant(void)
{
    char pipe[512];
    folder_open();
    must_touch("B");
    must_make("a");
    must_make("a/empty");
    must_touch("a/file");
    must_make("a/x");
    must_touch("a/x/deep");
    must_touch("ab");
    must_link("a", "link");
    must_link("link-to-me", "link-to-me");
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    CHECK_EQ(mkfifo(pipe, 0600), 0);
    must_make("z");
    must_touch("z/\xff\x01");
}

#define PLANTED 12

/* The walk in a line: "a/:1" for each entry, by its path below the first, kind and depth. */
static int walk_into(char *text, size_t size, const char *from, const hkt_walk_options *options)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry = NULL;
    size_t used = 0, length = strlen(from);
    int err = hkt_walk_create(&walk, from, options);
    if (err < 0)
        return err;
    text[0] = 0;
    while ((err = hkt_walk_next(walk, &entry)) > 0) {
        const char *kinds[] = { "?", "", "/", "@" };
        CHECK(memcmp(entry->path, from, length) == 0);
        CHECK_EQ(entry->err, 0);
        const char *below = entry->path + length;
        below += *below == '/';
        CHECK(entry->name > entry->path && entry->name[-1] == '/');
        CHECK_STR(entry->name, strrchr(entry->path, '/') + 1);
        used += (size_t)snprintf(text + used, size - used, "%s%s:%u ", below, kinds[entry->kind],
                                 entry->depth);
        CHECK(used < size);
    }
    if (err == 0)
        CHECK_EQ(hkt_walk_next(walk, &entry), 0);
    hkt_walk_destroy(walk);
    return err;
}

static const char everything[] = "B:1 a/:1 a/empty/:2 a/file:2 a/x/:2 a/x/deep:3 ab:1 link@:1 "
                                 "link-to-me@:1 pipe?:1 z/:1 z/\xff\x01:2 ";

static int walk_sorted(void *arg)
{
    char text[512], from[128];
    const hkt_walk_options sorted = { .sorted = true };
    (void)arg;
    errno = 4711;
    CHECK_EQ(walk_into(text, sizeof text, folder, &sorted), 0);
    CHECK_STR(text, everything);
    snprintf(from, sizeof from, "%s/", folder);
    CHECK_EQ(walk_into(text, sizeof text, from, &sorted), 0);
    CHECK_STR(text, everything);
    snprintf(from, sizeof from, "%s/link", folder); /* where it begins, a link is followed */
    CHECK_EQ(walk_into(text, sizeof text, from, &sorted), 0);
    CHECK_STR(text, "empty/:1 file:1 x/:1 x/deep:2 ");
    snprintf(from, sizeof from, "%s/a/empty", folder);
    CHECK_EQ(walk_into(text, sizeof text, from, &sorted), 0);
    CHECK_STR(text, "");
    CHECK_EQ(errno, 4711);
    return 0;
}

static void each_kind_in_a_tree(hkt_job *job)
{
    for (int kind = 0; kind < KINDS; kind++) {
        plant();
        CHECK_EQ(run_in(kind, job, NULL), 0);
        check_finalized();
        remove_all(folder);
    }
}

TEST(all_there_is_comes_in_order_and_links_are_not_followed)
{
    each_kind_in_a_tree(walk_sorted);
}

static int walk_unsorted(void *arg)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    char seen[PLANTED + 1][512], parent[512];
    int count = 0, err;
    (void)arg;
    CHECK_EQ(hkt_walk_create(&walk, folder, NULL), 0);
    snprintf(seen[count++], sizeof seen[0], "%s", folder);
    while ((err = hkt_walk_next(walk, &entry)) > 0) {
        int at = 0;
        CHECK(count <= PLANTED);
        snprintf(parent, sizeof parent, "%.*s", (int)(entry->name - 1 - entry->path), entry->path);
        while (at < count && strcmp(seen[at], parent) != 0)
            at++;
        CHECK(at < count); /* its folder came before it */
        snprintf(seen[count++], sizeof seen[0], "%s", entry->path);
        CHECK(strstr(everything, entry->name) != NULL);
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(count, PLANTED + 1);
    hkt_walk_destroy(walk);
    hkt_walk_destroy(NULL);
    return 0;
}

TEST(a_folder_comes_before_what_is_in_it)
{
    hkt_loop_options roomy = { .stack_size = (size_t)256 << 10 };
    plant();
    CHECK_EQ(walk_unsorted(NULL), 0);
    CHECK_EQ(hkt_run_with(walk_unsorted, NULL, &roomy), 0);
    check_finalized();
    remove_all(folder);
}

static int walk_not_deep(void *arg)
{
    char text[512];
    hkt_walk_options options = { .sorted = true, .max_depth = 1 };
    (void)arg;
    CHECK_EQ(walk_into(text, sizeof text, folder, &options), 0);
    CHECK_STR(text, "B:1 a/:1 ab:1 link@:1 link-to-me@:1 pipe?:1 z/:1 ");
    options.max_depth = 2;
    CHECK_EQ(walk_into(text, sizeof text, folder, &options), 0);
    CHECK_STR(text, "B:1 a/:1 a/empty/:2 a/file:2 a/x/:2 ab:1 link@:1 link-to-me@:1 pipe?:1 z/:1 "
                    "z/\xff\x01:2 ");
    options.max_depth = 3;
    CHECK_EQ(walk_into(text, sizeof text, folder, &options), 0);
    CHECK_STR(text, everything);
    return 0;
}

TEST(the_depth_has_a_limit_if_one_is_given)
{
    each_kind_in_a_tree(walk_not_deep);
}

static int walk_with_skips(void *arg)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    char text[256] = "";
    const hkt_walk_options sorted = { .sorted = true };
    (void)arg;
    CHECK_EQ(hkt_walk_create(&walk, folder, &sorted), 0);
    hkt_walk_skip(walk); /* no folder has come yet */
    while (hkt_walk_next(walk, &entry) > 0) {
        strcat(strcat(text, entry->name), " ");
        if (strcmp(entry->name, "x") == 0 || strcmp(entry->name, "z") == 0 ||
            entry->kind != HKT_FILE_FOLDER)
            hkt_walk_skip(walk);
        if (strcmp(entry->name, "x") == 0)
            hkt_walk_skip(walk); /* twice is once */
    }
    CHECK_STR(text, "B a empty file x ab link link-to-me pipe z ");
    hkt_walk_skip(walk);
    CHECK_EQ(hkt_walk_next(walk, &entry), 0);
    hkt_walk_destroy(walk);
    return 0;
}

TEST(what_is_in_a_folder_can_be_left_out)
{
    each_kind_in_a_tree(walk_with_skips);
}

static int begin_wrongly(void *arg)
{
    hkt_walk *walk = NULL;
    char path[128];
    (void)arg;
    snprintf(path, sizeof path, "%s/none", folder);
    CHECK_EQ(hkt_walk_create(&walk, path, NULL), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), path) != NULL);
    CHECK_EQ(hkt_walk_create(&walk, "", NULL), -ENOENT);
    snprintf(path, sizeof path, "%s/B", folder);
    CHECK_EQ(hkt_walk_create(&walk, path, NULL), -ENOTDIR);
    snprintf(path, sizeof path, "%s/link-to-me", folder);
    CHECK_EQ(hkt_walk_create(&walk, path, NULL), -ELOOP);
    CHECK(walk == NULL);
    return 0;
}

TEST(a_walk_begins_at_a_folder)
{
    each_kind_in_a_tree(begin_wrongly);
}

TEST(a_walk_goes_on_from_where_the_program_stood)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    char text[512];
    int count = 0;
    plant();
    CHECK_EQ(chdir(folder), 0);
    CHECK_EQ(hkt_walk_create(&walk, ".", &(hkt_walk_options){ .sorted = true }), 0);
    CHECK_EQ(chdir("/"), 0);
    for (; hkt_walk_next(walk, &entry) > 0; count++) {
        CHECK_EQ(entry->err, 0);
        if (count == 0)
            CHECK_STR(entry->path, "./B");
    }
    CHECK_EQ(count, PLANTED);
    hkt_walk_destroy(walk);
    const hkt_walk_options top = { .max_depth = 1 };
    CHECK_EQ(walk_into(text, sizeof text, "/", &top), 0);
    CHECK(strstr(text, "tmp/:1 ") != NULL);
    remove_all(folder);
    check_finalized();
}

/* A folder that goes, or becomes something else, while the walk stands before it; and, for who is not
 * root, one that may not be read. */
TEST(a_folder_that_cannot_be_read_is_told_and_the_walk_goes_on)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    char path[128];
    plant();
    CHECK_EQ(hkt_walk_create(&walk, folder, &(hkt_walk_options){ .sorted = true }), 0);
    snprintf(path, sizeof path, "%s/z", folder);
    remove_all(path);
    must_link("a", "z");
    snprintf(path, sizeof path, "%s/a", folder);
    CHECK_EQ(chmod(path, 0), 0);
    int expected = geteuid() == 0 ? 0 : -EACCES, folders = 0;
    while (hkt_walk_next(walk, &entry) > 0) {
        if (strcmp(entry->name, "a") == 0) {
            CHECK_EQ(entry->err, expected);
            hkt_walk_skip(walk);
        } else {
            CHECK_EQ(entry->err, strcmp(entry->name, "z") == 0 ? -ENOTDIR : 0);
        }
        folders += entry->kind == HKT_FILE_FOLDER;
    }
    CHECK_EQ(folders, 2);
    hkt_walk_destroy(walk);
    CHECK_EQ(chmod(path, 0755), 0);
    CHECK_EQ(hkt_walk_create(&walk, folder, &(hkt_walk_options){ .sorted = true }), 0);
    remove_all(path);
    folders = 0;
    while (hkt_walk_next(walk, &entry) > 0)
        if (entry->kind == HKT_FILE_FOLDER) {
            CHECK_STR(entry->name, "a");
            CHECK_EQ(entry->err, -ENOENT);
            folders++;
        }
    CHECK_EQ(folders, 1);
    hkt_walk_destroy(walk);
    remove_all(folder);
    check_finalized();
}

/* Deeper than any path that the system takes. */
#define LEVELS 2100

static const char level[] = "a-level-of-a-deep-tree";

static void dig(void)
{
    folder_open();
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < LEVELS; i++) {
        CHECK_EQ(mkdirat(at, level, 0700), 0);
        int next = openat(at, level, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(next >= 0);
        close(at);
        at = next;
    }
    close(at);
}

static int walk_deep(void *arg)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    unsigned depth = 0;
    int err;
    (void)arg;
    CHECK_EQ(hkt_walk_create(&walk, folder, NULL), 0);
    while ((err = hkt_walk_next(walk, &entry)) > 0) {
        CHECK_EQ(entry->err, 0);
        CHECK_EQ(entry->depth, ++depth);
        CHECK_STR(entry->name, level);
        CHECK_EQ(strlen(entry->path), strlen(folder) + depth * sizeof level);
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(depth, LEVELS);
    hkt_walk_destroy(walk);
    return 0;
}

TEST_TIMEOUT(a_tree_may_be_deeper_than_any_path, 120)
{
    dig();
    CHECK_EQ(run_in(IN_LOOP, walk_deep, NULL), 0);
    CHECK_EQ(run_in(ON_THREAD, walk_deep, NULL), 0);
    check_finalized();
    remove_all(folder);
}

/* A folder of many names is several calls of the system. */
#define NAMES 3000

static int walk_wide(void *arg)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    char expected[32];
    int count = 0;
    (void)arg;
    CHECK_EQ(hkt_walk_create(&walk, folder, &(hkt_walk_options){ .sorted = true }), 0);
    for (; hkt_walk_next(walk, &entry) > 0; count++) {
        snprintf(expected, sizeof expected, "file-%05d", count);
        CHECK_STR(entry->name, expected);
        CHECK_EQ(entry->kind, HKT_FILE_REGULAR);
    }
    CHECK_EQ(count, NAMES);
    hkt_walk_destroy(walk);
    return 0;
}

TEST_TIMEOUT(a_folder_may_have_many_names, 60)
{
    char name[32];
    folder_open();
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "file-%05d", i);
        must_touch(name);
    }
    CHECK_EQ(walk_wide(NULL), 0);
    CHECK_EQ(hkt_run(walk_wide, NULL), 0);
    check_finalized();
    remove_all(folder);
}

static int next_of(void *arg)
{
    const hkt_walk_entry *entry;
    return hkt_walk_next(arg, &entry);
}

static int create_walk(void *arg)
{
    return hkt_walk_create(arg, folder, NULL);
}

/* A cancelled call has taken nothing; the next one goes on. */
static int cancel_calls(void *arg)
{
    hkt_walk *walk = NULL;
    const hkt_walk_entry *entry;
    int count = 0;
    (void)arg;
    CHECK_EQ(call_cancelled(create_walk, &walk), -ECANCELED);
    CHECK(walk == NULL);
    CHECK_EQ(hkt_walk_create(&walk, folder, NULL), 0);
    do {
        CHECK_EQ(call_cancelled(next_of, walk), -ECANCELED);
        count++;
    } while (hkt_walk_next(walk, &entry) > 0);
    CHECK_EQ(count, PLANTED + 1);
    hkt_walk_destroy(walk);
    return 0;
}

TEST(a_cancelled_walk_can_go_on)
{
    each_kind_in_a_tree(cancel_calls);
}

/* Each entry comes once, also where a call in between had no memory. */
static int walk_scarcely(void *arg)
{
    hkt_walk *walk;
    const hkt_walk_entry *entry;
    int count = 0, failures = 0, err, lost = 0;
    (void)arg;
    if ((err = hkt_walk_create(&walk, folder, &(hkt_walk_options){ .sorted = true })) < 0)
        return err;
    while ((err = hkt_walk_next(walk, &entry)) != 0 && failures < 3) {
        if (err < 0) {
            CHECK_EQ(err, -ENOMEM);
            failures++;
            lost = err;
            continue;
        }
        count++;
        CHECK_EQ(entry->err, 0);
    }
    if (err == 0)
        CHECK_EQ(count, PLANTED);
    hkt_walk_destroy(walk);
    return lost;
}

TEST_TIMEOUT(without_memory_nothing_is_lost_or_left, 120)
{
    plant();
    with_scarce_memory(ON_THREAD, walk_scarcely);
    with_scarce_memory(IN_LOOP, walk_scarcely);
    remove_all(folder);
}
