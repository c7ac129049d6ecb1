/* SPDX-License-Identifier: MIT */
/* hocket/file.h, files: in tasks, where a thread does what blocks, in jobs of pools, and on plain
 * threads. */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "files.h"

static int write_and_read(void *arg)
{
    char data[256] = { 0 };
    size_t written = 4711;
    struct stat about;
    (void)arg;
    int fd = hkt_file_open(path_a, O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    errno = 4711;
    CHECK_EQ(hkt_file_write(fd, "hello world", 11, 0, &written), 0);
    CHECK_EQ(written, 11);
    CHECK_EQ(hkt_file_write(fd, "W", 1, 6, NULL), 0);
    CHECK_EQ(hkt_file_read(fd, data, sizeof data, 0), 11);
    CHECK_STR(data, "hello World");
    CHECK_EQ(hkt_file_read(fd, data, 5, 6), 5);
    CHECK(memcmp(data, "World", 5) == 0);
    CHECK_EQ(hkt_file_read(fd, data, 5, 11), 0);
    CHECK_EQ(hkt_file_read(fd, data, 5, 4711), 0);
    CHECK_EQ(hkt_file_read(fd, data, 0, 0), 0);
    CHECK_EQ(hkt_file_write(fd, data, 0, 0, &written), 0);
    CHECK_EQ(written, 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0); /* it has not moved */
    CHECK_EQ(hkt_file_read(fd, data, 6, HKT_FILE_POSITION), 6);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_EQ(hkt_file_write(fd, "there", 5, HKT_FILE_POSITION, &written), 0);
    CHECK_EQ(written, 5);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
    CHECK_EQ(hkt_file_read(fd, data, 6, HKT_FILE_POSITION), 0);
    CHECK_EQ(hkt_file_sync(fd, false), 0);
    CHECK_EQ(hkt_file_sync(fd, true), 0);
    CHECK_EQ(hkt_file_truncate(fd, 5), 0);
    CHECK_EQ(hkt_file_stat(NULL, fd, false, &about), 0);
    CHECK_EQ(about.st_size, 5);
    CHECK_EQ(about.st_mode & 0777, 0640);
    CHECK_EQ(hkt_file_truncate(fd, 10), 0);
    CHECK_EQ(hkt_file_read(fd, data, sizeof data, 0), 10);
    CHECK(memcmp(data, "hello\0\0\0\0\0", 10) == 0);
    CHECK_EQ(hkt_file_close(fd), 0);
    CHECK_EQ(errno, 4711);
    return 0;
}

TEST(what_is_written_is_read)
{
    umask(022);
    each_kind_in_a_folder(write_and_read);
}

static int use_names(void *arg)
{
    struct stat about;
    char link[128];
    (void)arg;
    snprintf(link, sizeof link, "%s/link", folder);
    CHECK_EQ(hkt_file_make_folder(path_a, 0750), 0);
    CHECK_EQ(hkt_file_stat(path_a, -1, true, &about), 0);
    CHECK(S_ISDIR(about.st_mode));
    CHECK_EQ(about.st_mode & 0777, 0750);
    CHECK_EQ(hkt_file_make_folder(path_a, 0750), -EEXIST);
    CHECK(strstr(hkt_sentence(-EEXIST), path_a) != NULL);
    CHECK_EQ(symlink("a", link), 0);
    CHECK_EQ(hkt_file_stat(link, -1, true, &about), 0);
    CHECK(S_ISDIR(about.st_mode));
    CHECK_EQ(hkt_file_stat(link, -1, false, &about), 0);
    CHECK(S_ISLNK(about.st_mode));
    CHECK_EQ(hkt_file_rename(path_a, path_b), 0);
    CHECK_EQ(hkt_file_stat(path_a, -1, true, &about), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), path_a) != NULL);
    CHECK_EQ(hkt_file_rename(path_a, path_b), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), path_a) != NULL);
    CHECK_EQ(hkt_file_unlink(path_b), -EISDIR);
    CHECK_EQ(hkt_file_remove_folder(folder), -ENOTEMPTY);
    CHECK_EQ(hkt_file_remove_folder(path_b), 0);
    CHECK_EQ(hkt_file_remove_folder(path_b), -ENOENT);
    CHECK_EQ(hkt_file_unlink(link), 0);
    CHECK_EQ(hkt_file_unlink(link), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), link) != NULL);
    return 0;
}

TEST(names_are_made_moved_and_removed)
{
    umask(022);
    each_kind_in_a_folder(use_names);
}

static int fail_each(void *arg)
{
    char data[16];
    size_t written = 4711;
    struct stat about;
    (void)arg;
    CHECK_EQ(hkt_file_open(path_a, O_RDONLY, 0), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), path_a) != NULL);
    CHECK_EQ(hkt_file_open(folder, O_WRONLY, 0), -EISDIR);
    CHECK_EQ(hkt_file_read(-1, data, sizeof data, 0), -EBADF);
    CHECK_EQ(hkt_file_write(-1, data, sizeof data, 0, &written), -EBADF);
    CHECK_EQ(written, 0);
    CHECK_EQ(hkt_file_close(-1), -EBADF);
    CHECK_EQ(hkt_file_sync(-1, false), -EBADF);
    CHECK_EQ(hkt_file_truncate(-1, 0), -EBADF);
    CHECK_EQ(hkt_file_truncate(-1, UINT64_MAX), -EFBIG);
    CHECK_EQ(hkt_file_stat(NULL, -1, false, &about), -EBADF);
    int fd = hkt_file_open(folder, O_RDONLY, 0);
    CHECK(fd >= 0);
    CHECK_EQ(hkt_file_read(fd, data, sizeof data, 0), -EISDIR);
    CHECK_EQ(hkt_file_write(fd, data, sizeof data, 0, NULL), -EBADF);
    CHECK_EQ(hkt_file_read(fd, data, sizeof data, -2), -EINVAL);
    CHECK_EQ(hkt_file_write(fd, data, sizeof data, INT64_MIN, NULL), -EINVAL);
    CHECK_EQ(hkt_file_truncate(fd, 0), -EINVAL);
    CHECK_EQ(hkt_file_close(fd), 0);
    CHECK_EQ(hkt_file_close(fd), -EBADF);
    fd = hkt_file_open("/dev/full", O_WRONLY, 0);
    if (fd >= 0) {
        CHECK_EQ(hkt_file_write(fd, data, sizeof data, 0, &written), -ENOSPC);
        CHECK_EQ(written, 0);
        CHECK_EQ(hkt_file_close(fd), 0);
    }
    return 0;
}

TEST(errors_are_those_of_the_system)
{
    each_kind_in_a_folder(fail_each);
}

/* More than a file may have: what was written before that is counted. */
#define FILE_LIMIT 100000

static int overfill(void *arg)
{
    static char data[FILE_LIMIT * 2];
    size_t written = 0;
    struct stat about;
    (void)arg;
    int fd = hkt_file_open(path_a, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(hkt_file_write(fd, data, sizeof data, 0, &written), -EFBIG);
    CHECK_EQ(written, FILE_LIMIT);
    CHECK_EQ(hkt_file_write(fd, data, 100, FILE_LIMIT - 10, &written), -EFBIG);
    CHECK_EQ(written, 10);
    CHECK_EQ(hkt_file_close(fd), 0);
    CHECK_EQ(hkt_file_write_all(path_b, "before", 6, 0600), 0);
    CHECK_EQ(hkt_file_write_all(path_b, data, sizeof data, 0600), -EFBIG);
    CHECK(strstr(hkt_sentence(-EFBIG), path_b) != NULL);
    CHECK_EQ(names_in(folder), 2); /* what was begun is gone */
    CHECK_EQ(hkt_file_stat(path_b, -1, false, &about), 0);
    CHECK_EQ(about.st_size, 6);
    return 0;
}

TEST(where_a_write_ends_early_it_tells_how_much_was_written)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = FILE_LIMIT;
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    each_kind_in_a_folder(overfill);
}

/* What does not lie in memory, or is big, is read on a thread, and the others go on. */
#define BIG ((size_t)48 << 20)

static int tick(void *arg)
{
    long *ticks = arg;
    int err;
    while ((err = hkt_yield()) == 0)
        ++*ticks;
    return err;
}

static int read_big(void *arg)
{
    long ticks = 0;
    size_t written;
    char *data = malloc(BIG), *back = malloc(BIG);
    (void)arg;
    fill(data, BIG, 5);
    hkt_task *ticker;
    CHECK_EQ(hkt_task_spawn(&ticker, tick, &ticks), 0);
    int fd = hkt_file_open(path_a, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(hkt_file_write(fd, data, BIG, 0, &written), 0);
    CHECK_EQ(written, BIG);
    CHECK_EQ(hkt_file_sync(fd, false), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    char some[100];
    for (size_t at = 0; at < BIG; at += BIG / 64) /* small and cold */
        CHECK_EQ(hkt_file_read(fd, some, sizeof some, (int64_t)at), sizeof some);
    long before = ticks;
    CHECK_EQ(hkt_file_read(fd, back, BIG + 1 - 1, 0), BIG);
    CHECK(ticks > before);
    CHECK(memcmp(data, back, BIG) == 0);
    CHECK_EQ(hkt_file_close(fd), 0);
    CHECK_EQ(hkt_future_request_cancel(ticker), 0);
    CHECK_EQ(hkt_future_finish(ticker), -ECANCELED);
    free(data);
    free(back);
    return 0;
}

TEST_TIMEOUT(a_loop_goes_on_while_a_big_file_is_read, 60)
{
    folder_open();
    CHECK_EQ(hkt_run(read_big, NULL), 0);
    check_finalized();
    remove_all(folder);
}

static int read_warm(void *arg)
{
    char data[1000] = { 0 };
    (void)arg;
    hkt_file_write_all(path_a, data, sizeof data, 0600);
    int fd = open(path_a, O_RDONLY | O_CLOEXEC);
    CHECK_EQ(read(fd, data, sizeof data), sizeof data);
    long ticks = 0;
    hkt_task *ticker;
    CHECK_EQ(hkt_task_spawn(&ticker, tick, &ticks), 0);
    CHECK_EQ(hkt_file_read(fd, data, sizeof data, 0), sizeof data);
    CHECK_EQ(hkt_file_read(fd, data, sizeof data, 10), sizeof data - 10);
    CHECK_EQ(ticks, 0); /* it did not wait */
    hkt_future_request_cancel(ticker);
    CHECK_EQ(hkt_future_finish(ticker), -ECANCELED);
    close(fd);
    return 0;
}

TEST(what_lies_in_memory_is_read_at_once)
{
    folder_open();
    struct iovec piece = { folder, 1 };
    int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    bool knows = fd >= 0 && write(fd, "x", 1) == 1 && preadv2(fd, &piece, 1, 0, RWF_NOWAIT) == 1;
    close(fd);
    folder[0] = '/';
    if (knows)
        CHECK_EQ(hkt_run(read_warm, NULL), 0);
    check_finalized();
    remove_all(folder);
    if (!knows)
        TEST_SKIP("the file system cannot read without waiting");
}

/* A pipe is read as a file is: until all has come. */
static int read_pipe(void *arg)
{
    char data[10];
    CHECK_EQ(hkt_file_read(*(int *)arg, data, 10, HKT_FILE_POSITION), 10);
    CHECK(memcmp(data, "0123456789", 10) == 0);
    CHECK_EQ(hkt_file_read(*(int *)arg, data, 10, HKT_FILE_POSITION), 3);
    CHECK_EQ(hkt_file_read(*(int *)arg, data, 10, 0), -ESPIPE);
    return 0;
}

static int use_pipe(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    hkt_future *reader = must_submit(hkt_executor_current(), read_pipe, &ends[0]);
    for (int i = 0; i < 13; i++) {
        CHECK_EQ(hkt_file_write(ends[1], &"0123456789abc"[i], 1, HKT_FILE_POSITION, NULL), 0);
        CHECK_EQ(hkt_yield(), 0);
    }
    CHECK_EQ(hkt_file_close(ends[1]), 0);
    CHECK_EQ(hkt_future_finish(reader), 0);
    CHECK_EQ(hkt_file_close(ends[0]), 0);
    return 0;
}

TEST(short_reads_go_on_until_all_is_there)
{
    in_kinds(ON_THREAD, use_pipe);
}

/* Cancelled at the beginning; after that a call is made to its end, and what it did is told. */
static int call_each_cancelled(void *arg)
{
    char data[4], *all = NULL;
    size_t size = 4711;
    struct stat about;
    int fd = *(int *)arg;
    CHECK_EQ(hkt_file_open(path_b, O_CREAT, 0600), -ECANCELED);
    CHECK_EQ(hkt_file_read(fd, data, 4, 0), -ECANCELED);
    CHECK_EQ(hkt_file_write(fd, data, 4, 0, &size), -ECANCELED);
    CHECK_EQ(size, 0);
    CHECK_EQ(hkt_file_sync(fd, true), -ECANCELED);
    CHECK_EQ(hkt_file_truncate(fd, 0), -ECANCELED);
    CHECK_EQ(hkt_file_stat(path_a, -1, false, &about), -ECANCELED);
    CHECK_EQ(hkt_file_rename(path_a, path_b), -ECANCELED);
    CHECK_EQ(hkt_file_unlink(path_a), -ECANCELED);
    CHECK_EQ(hkt_file_make_folder(path_b, 0700), -ECANCELED);
    CHECK_EQ(hkt_file_remove_folder(folder), -ECANCELED);
    CHECK_EQ(hkt_file_read_all(path_a, &all, &size, 0), -ECANCELED);
    CHECK_EQ(hkt_file_write_all(path_a, data, 4, 0600), -ECANCELED);
    CHECK_EQ(hkt_file_close(fd), 0); /* it is closed in any case */
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    return 0;
}

static int cancel_each(void *arg)
{
    char *data;
    size_t size;
    (void)arg;
    CHECK_EQ(hkt_file_write_all(path_a, "left", 4, 0600), 0);
    int fd = hkt_file_open(path_a, O_RDWR, 0);
    CHECK(fd >= 0);
    CHECK_EQ(call_cancelled(call_each_cancelled, &fd), 0);
    CHECK_EQ(names_in(folder), 1);
    CHECK_EQ(hkt_file_read_all(path_a, &data, &size, 0), 0);
    CHECK_STR(data, "left");
    free(data);
    return 0;
}

TEST(who_is_cancelled_changes_nothing_and_can_close)
{
    each_kind_in_a_folder(cancel_each);
}

static int read_to_the_end(void *arg)
{
    char data[4];
    CHECK_EQ(hkt_file_read(*(int *)arg, data, 4, HKT_FILE_POSITION), 4);
    CHECK(memcmp(data, "full", 4) == 0);
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    return 0;
}

static int bytes_in(int fd)
{
    int count;
    CHECK_EQ(ioctl(fd, FIONREAD, &count), 0);
    return count;
}

/* That the first half is gone says that a thread has begun. */
static int cancel_on_the_way(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    hkt_task *task;
    CHECK_EQ(hkt_task_spawn(&task, read_to_the_end, ends), 0);
    CHECK_EQ(hkt_yield(), 0); /* it has found nothing */
    CHECK_EQ(write(ends[1], "fu", 2), 2);
    while (bytes_in(ends[0]) > 0)
        CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    CHECK_EQ(hkt_sleep(0.01), 0);
    CHECK(!hkt_future_done(task));
    CHECK_EQ(write(ends[1], "ll", 2), 2);
    CHECK_EQ(hkt_future_finish(task), 0);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(a_call_that_a_thread_has_begun_is_awaited)
{
    CHECK_EQ(hkt_run(cancel_on_the_way, NULL), 0);
    check_finalized();
}
