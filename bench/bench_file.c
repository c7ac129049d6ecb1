/* SPDX-License-Identifier: MIT */
/* Reads of 4 KiB at offsets by chance of a file of 256 MiB, which lies in memory or does not: by
 * tasks of a loop, one thread, 32 threads, io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <hocket.h>
#include <hocket/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"
#include "file_reads.h"

enum { PIECE = 1 << 20, FEW_PAGES = PAGES / 100 };

static int file = -1;

static int read_in_task(void *arg)
{
    struct file_reader *reader = arg;
    _Alignas(PAGE) char data[PAGE];
    uint32_t page;

    while (file_next(reader, &page))
        file_read(reader, page, data,
                  hkt_file_read(reader->order->fd, data, PAGE, (int64_t)page * PAGE));
    return 0;
}

static int run_tasks(void *arg)
{
    struct file_reader *readers = arg;
    hkt_task_group group = { 0 };
    int err = 0;

    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < READERS && err == 0; i++)
        err = hkt_task_group_spawn(&group, NULL, read_in_task, &readers[i]);
    return hkt_task_group_leave(&group, err);
}

static bool by_hocket(struct file_reader readers[READERS])
{
    bench_check(hkt_run(run_tasks, readers), "hkt_run");
    return true;
}

static void read_in_thread(void *arg, int i)
{
    struct file_reader *reader = (struct file_reader *)arg + i;
    _Alignas(PAGE) char data[PAGE];
    uint32_t page;

    while (file_next(reader, &page))
        file_read(reader, page, data, pread(reader->order->fd, data, PAGE, (off_t)page * PAGE));
}

/* One after the other, in the order of all. */
static bool by_pread(struct file_reader readers[READERS])
{
    for (int i = 0; i < READERS; i++)
        read_in_thread(readers, i);
    return true;
}

static bool by_threads(struct file_reader readers[READERS])
{
    bench_team(READERS, 0, read_in_thread, readers);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct file_reader readers[READERS]);
} systems[] = {
    { "hocket", by_hocket },
    { "pread", by_pread },
    { "threads", by_threads },
    { "io_uring", file_by_uring },
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

static void read_or_write_all(bool writes)
{
    uint64_t *piece = bench_alone(PIECE);

    for (uint64_t page = 0; page < PAGES; page += PIECE / PAGE) {
        for (uint64_t i = 0; writes && i < PIECE / PAGE; i++)
            piece[i * PAGE / sizeof *piece] = page + i;
        ssize_t n = writes ? pwrite(file, piece, PIECE, (off_t)page * PAGE)
                           : pread(file, piece, PIECE, (off_t)page * PAGE);
        if (n != PIECE)
            bench_fail("the file: %s", n < 0 ? strerror(errno) : "too short");
    }
    free(piece);
}

/* Where no memory is passed off as a disk, as a rule. It goes with this process. */
static void make_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];

    snprintf(path, sizeof path, "%s/bench_file.XXXXXX", folder ? folder : "/var/tmp");
    file = mkostemp(path, O_CLOEXEC);
    if (file < 0 || unlink(path) < 0)
        bench_fail("%s: %s", path, strerror(errno));
    read_or_write_all(true);
    if (fsync(file) < 0)
        bench_fail("fsync: %s", strerror(errno));
    bench_check(posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM), "posix_fadvise");
}

static int pages_in_memory(void)
{
    static unsigned char flags[PAGES];
    void *all = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ, MAP_SHARED, file, 0);
    int n = 0;

    if (all == MAP_FAILED || mincore(all, (size_t)PAGES * PAGE, flags) < 0)
        bench_fail("mincore: %s", strerror(errno));
    for (int i = 0; i < PAGES; i++)
        n += flags[i] & 1;
    munmap(all, (size_t)PAGES * PAGE);
    return n;
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure_reads(const struct bench_workload *workload, int s, uint64_t limit,
                          double values[])
{
    static uint16_t salt;
    struct file_reader readers[READERS];
    double cpu = cpu_ns(), done = 0;
    uint64_t began = bench_ns();
    struct file_order order = { .fd = file, .salt = salt += 12345, .limit = limit };

    order.until = began + (uint64_t)(workload->seconds * 1e9);
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = (struct file_reader){ .order = &order, .next = i };
    if (!systems[s].read(readers)) {
        bench_left_out(systems[s].name, "it is not on this machine");
        return;
    }
    uint64_t took = bench_ns() - began;
    cpu = cpu_ns() - cpu;
    for (int i = 0; i < READERS; i++)
        done += (double)readers[i].done;
    values[0] = done / ((double)took / 1e9) / 1e3;
    values[1] = cpu / done / 1e3;
}

static void measure_cached(const struct bench_workload *workload, int s, double values[])
{
    read_or_write_all(false);
    measure_reads(workload, s, UINT64_MAX, values);
}

/* Of each page once, so that none is in memory by our own doing. */
static void measure_cold(const struct bench_workload *workload, int s, double values[])
{
    bench_check(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
    if (pages_in_memory() > FEW_PAGES) {
        bench_left_out(workload->name, "the file stays in memory (TMPDIR says where it is)");
        return;
    }
    measure_reads(workload, s, PAGES, values);
}

#define FIGURES                                                                                    \
    {                                                                                              \
        { "reads", "k/s", BENCH_MORE },                                                            \
        {                                                                                          \
            "cpu", "us", BENCH_LESS                                                                \
        }                                                                                          \
    }

static const struct bench_workload workloads[] = {
    { "file-cached", measure_cached, 0.3, READERS, 0, FIGURES },
    { "file-cold", measure_cold, 0.3, READERS, 0, FIGURES },
};

int main(int argc, char **argv)
{
    const char *names[SYSTEMS];

    bench_begin(argc, argv, "Reads of 4 KiB of a file that is in memory, or is not.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i].name;
    make_file();
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
