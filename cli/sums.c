/* SPDX-License-Identifier: MIT */
/* `hocket bench --sums`: the format of sha256sum (coreutils 9). A name with a backslash, a line
 * feed or a carriage return is written with escapes, and its line begins with a backslash. */
#include "bench.h"

#include "cli.h"
#include "hashing.h"
#include "progress.h"
#include "sha256.h"

#include <hocket/error.h>

#include <stdio.h>
#include <string.h>

static void print_escaped(const char *path)
{
    for (; *path; path++) {
        if (*path == '\\')
            fputs("\\\\", stdout);
        else if (*path == '\n')
            fputs("\\n", stdout);
        else if (*path == '\r')
            fputs("\\r", stdout);
        else
            putchar(*path);
    }
}

static void print_sum(const char *path, const unsigned char sum[SHA256_BYTES])
{
    if (strpbrk(path, "\\\n\r"))
        putchar('\\');
    for (size_t i = 0; i < SHA256_BYTES; i++)
        printf("%02x", sum[i]);
    fputs("  ", stdout);
    print_escaped(path);
    putchar('\n');
}

static void print_all(struct bench *bench)
{
    for (size_t i = 0; i < bench->hashing.count; i++) {
        const struct hashing *hashing = hashing_job(&bench->hashing, i);

        if (hashing->job.outcome.err < 0)
            file_list_report(&bench->files, hashing->file->path, hashing->job.outcome.err);
        else
            print_sum(hashing->file->path, hashing->job.outcome.sum);
    }
    file_list_end_reports(&bench->files);
}

int bench_print_sums(struct bench *bench)
{
    struct way way = way_for_this_machine();
    uint64_t bytes = 0;

    if (sha256_setup() < 0) {
        progress_say("--sums needs OpenSSL, without which this hocket was built; "
                     "install libssl-dev (Debian) and build again");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < bench->files.count; i++)
        bytes += bench->files.files[i].size;
    int err = hashing_create(&bench->hashing, &bench->files, bytes, false);

    if (err == 0) {
        progress_phase(bytes, "hashing");
        err = way_run(&way, &bench->hashing);
        progress_clear();
    }
    if (err < 0) {
        hkt_report(err);
        return CLI_FAILED;
    }
    print_all(bench);
    return CLI_OK;
}
