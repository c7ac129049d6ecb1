/* SPDX-License-Identifier: MIT */
/* hocket/file.h, files as a whole: hkt_file_read_all, hkt_file_write_all. */
#include <fcntl.h>
#include <limits.h>

#include "files.h"
#include "scarce.h"

static int use_whole_files(void *arg)
{
    char *data = NULL, *big = malloc(3000000);
    size_t size = 4711;
    struct stat about;
    (void)arg;
    fill(big, 3000000, 1);
    CHECK_EQ(hkt_file_write_all(path_a, "hello", 5, 0604), 0);
    CHECK_EQ(hkt_file_stat(path_a, -1, false, &about), 0);
    CHECK_EQ(about.st_mode & 0777, 0604);
    CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), 0);
    CHECK_EQ(size, 5);
    CHECK_STR(data, "hello");
    free(data);
    CHECK_EQ(hkt_file_write_all(path_a, big, 3000000, 0400), 0);
    CHECK_EQ(hkt_file_stat(path_a, -1, false, &about), 0);
    CHECK_EQ(about.st_mode & 0777, 0400);
    CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), 0);
    CHECK_EQ(size, 3000000);
    CHECK(memcmp(data, big, size) == 0 && data[size] == 0);
    free(data);
    CHECK_EQ(hkt_file_write_all(path_a, NULL, 0, 0600), 0);
    CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), 0);
    CHECK_EQ(size, 0);
    CHECK_STR(data, "");
    free(data);
    CHECK_EQ(hkt_file_read_all("/proc/self/status", &data, &size, 0), 0); /* says it has 0 bytes */
    CHECK(size > 100 && strlen(data) == size && strstr(data, "Pid:") != NULL);
    free(data);
    CHECK_EQ(names_in(folder), 1);
    free(big);
    return 0;
}

TEST(a_file_is_read_and_written_as_a_whole)
{
    umask(022);
    each_kind_in_a_folder(use_whole_files);
}

static int limit_reads(void *arg)
{
    char *data = NULL;
    size_t size = 4711;
    (void)arg;
    for (size_t length = 1; length < 20000; length = length * 3 + 1) {
        char *bytes = malloc(length);
        fill(bytes, length, 3);
        CHECK_EQ(hkt_file_write_all(path_a, bytes, length, 0600), 0);
        CHECK_EQ(hkt_file_read_all(path_a, &data, &size, length), 0);
        CHECK_EQ(size, length);
        CHECK(memcmp(data, bytes, length) == 0);
        free(data);
        free(bytes);
        data = NULL;
        if (length > 1)
            CHECK_EQ(hkt_file_read_all(path_a, &data, &size, length - 1), -EFBIG);
        CHECK(data == NULL);
        CHECK_EQ(hkt_file_read_all(path_a, &data, &size, SIZE_MAX), 0);
        CHECK_EQ(size, length);
        free(data);
        data = NULL;
    }
    CHECK_EQ(hkt_file_read_all("/proc/self/status", &data, &size, 64), -EFBIG);
    CHECK_EQ(hkt_file_read_all("/dev/zero", &data, &size, 1000000), -EFBIG);
    CHECK(strstr(hkt_sentence(-EFBIG), "/dev/zero") != NULL);
    CHECK_EQ(hkt_file_read_all(folder, &data, &size, 0), -EISDIR);
    CHECK_EQ(hkt_file_read_all(path_b, &data, &size, 0), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), path_b) != NULL);
    CHECK(data == NULL);
    return 0;
}

TEST(a_file_of_more_than_the_limit_is_not_read)
{
    each_kind_in_a_folder(limit_reads);
}

TEST(a_sparse_file_of_64_MiB_is_read_and_one_byte_more_is_not)
{
    char *data = NULL;
    size_t size = 0;
    folder_open();
    int fd = open(path_a, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQ(ftruncate(fd, (off_t)64 << 20), 0);
    CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), 0);
    CHECK_EQ(size, (size_t)64 << 20);
    free(data);
    CHECK_EQ(ftruncate(fd, ((off_t)64 << 20) + 1), 0);
    CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), -EFBIG);
    close(fd);
    remove_all(folder);
    check_finalized();
}

/* Names in odd places. */
static int write_oddly(void *arg)
{
    char name[NAME_MAX + 8], path[NAME_MAX + 128], *data = NULL;
    size_t size;
    (void)arg;
    memset(name, 'n', sizeof name);
    name[NAME_MAX] = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_EQ(hkt_file_write_all(path, "x", 1, 0600), 0); /* the longest name there is */
    CHECK_EQ(hkt_file_read_all(path, &data, &size, 0), 0);
    CHECK_STR(data, "x");
    free(data);
    name[NAME_MAX] = 'n';
    name[NAME_MAX + 1] = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_EQ(hkt_file_write_all(path, "x", 1, 0600), -ENAMETOOLONG);
    CHECK_EQ(hkt_file_write_all("", "x", 1, 0600), -ENOENT);
    snprintf(path, sizeof path, "%s/", folder);
    CHECK_EQ(hkt_file_write_all(path, "x", 1, 0600), -EISDIR);
    CHECK_EQ(hkt_file_make_folder(path_b, 0700), 0);
    CHECK_EQ(hkt_file_write_all(path_b, "x", 1, 0600), -EISDIR);
    snprintf(path, sizeof path, "%s/no/such", folder);
    CHECK_EQ(hkt_file_write_all(path, "x", 1, 0600), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), path) != NULL);
    snprintf(path, sizeof path, "%s/link", folder); /* takes the place of a link */
    CHECK_EQ(symlink("b", path), 0);
    CHECK_EQ(hkt_file_write_all(path, "y", 1, 0600), 0);
    CHECK_EQ(names_in(folder), 3);
    CHECK_EQ(hkt_file_write_all("/proc/hocket", "x", 1, 0600), -ENOENT);
    return 0;
}

TEST(a_file_is_written_beside_odd_names)
{
    each_kind_in_a_folder(write_oddly);
}

TEST(a_file_is_written_where_the_program_stands)
{
    char *data;
    size_t size;
    folder_open();
    CHECK_EQ(chdir(folder), 0);
    CHECK_EQ(hkt_file_write_all("here", "x", 1, 0600), 0);
    CHECK_EQ(hkt_file_read_all("here", &data, &size, 0), 0);
    CHECK_EQ(size, 1);
    free(data);
    CHECK_EQ(chdir("/"), 0);
    remove_all(folder);
    check_finalized();
}

/* Readers see the one file or the other, never part of one. */
static atomic_bool over;

static int read_whole_ones(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        char *data;
        size_t size;
        CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), 0);
        CHECK(size == 5000 || size == 50000);
        for (size_t i = 0; i < size; i++)
            CHECK(data[i] == (size == 5000 ? 'a' : 'b'));
        free(data);
    }
    return 0;
}

static int write_in_turn(void *arg)
{
    static char a[5000], b[50000];
    (void)arg;
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    CHECK_EQ(hkt_file_write_all(path_a, a, sizeof a, 0600), 0);
    atomic_store(&over, false);
    hkt_task *reader = must_submit(hkt_executor_current(), read_whole_ones, NULL);
    for (long i = test_scaled(40); i > 0; i--) {
        CHECK_EQ(hkt_file_write_all(path_a, b, sizeof b, 0600), 0);
        CHECK_EQ(hkt_file_write_all(path_a, a, sizeof a, 0600), 0);
    }
    atomic_store(&over, true);
    CHECK_EQ(hkt_future_finish(reader), 0);
    CHECK_EQ(names_in(folder), 1);
    return 0;
}

TEST_TIMEOUT(a_file_is_there_whole_or_as_it_was, 60)
{
    for (int kind = 0; kind < SIDE_BY_SIDE; kind++) {
        folder_open();
        CHECK_EQ(run_in(kind, write_in_turn, NULL), 0);
        check_finalized();
        remove_all(folder);
    }
}

static int use_whole_files_scarcely(void *arg)
{
    char *data;
    size_t size;
    (void)arg;
    int err = hkt_file_write_all(path_a, "hello", 5, 0600);
    if (err < 0)
        return err;
    int fd = hkt_file_open(path_a, O_RDWR, 0);
    if (fd < 0)
        return fd;
    err = hkt_file_sync(fd, false);
    int closed = hkt_file_close(fd); /* in any case */
    CHECK_EQ(closed, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    if (err < 0 || (err = hkt_file_read_all(path_a, &data, &size, 0)) < 0)
        return err;
    CHECK_STR(data, "hello");
    free(data);
    return 0;
}

TEST_TIMEOUT(without_memory_files_stay_whole_and_are_closed, 60)
{
    folder_open();
    with_scarce_memory(ON_THREAD, use_whole_files_scarcely);
    with_scarce_memory(IN_LOOP, use_whole_files_scarcely);
    CHECK_EQ(names_in(folder), 1);
    remove_all(folder);
}
