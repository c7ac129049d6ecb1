/* SPDX-License-Identifier: MIT */
/* `hocket bench`: the order of things. First everything that should not be timed (listing the
 * files, reading them once into the page cache), then each half in each way. */
#include "bench.h"

#include "cli.h"
#include "hashing.h"
#include "progress.h"
#include "sha256.h"
#include "table.h"
#include "text.h"

#include <hocket/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is wrong with the directory, and what to do. */
static int no_directory(const char *dir, int err)
{
    char name[TEXT_MAX];

    text_name(name, dir);
    switch (err) {
    case -ENOENT:
        progress_say("there is no '%s'; name a directory with files: hocket bench DIR", name);
        break;
    case -ENOTDIR:
        progress_say("'%s' is not a directory; name one with files: hocket bench DIR", name);
        break;
    case -EACCES:
        progress_say("'%s' may not be read by you; name another directory: hocket bench DIR", name);
        break;
    default:
        progress_say("cannot list '%s': %s", name, strerror(-err));
        break;
    }
    return CLI_FAILED;
}

static int list_files(struct bench *bench)
{
    char name[TEXT_MAX];

    progress_phase(0, "listing files below %s", text_name(name, bench->options.dir));
    int err = file_list_make(&bench->files, bench->options.dir);

    progress_clear();
    return err < 0 ? no_directory(bench->options.dir, err) : 0;
}

static int failed(int err)
{
    if (cli_flush() == 0) /* else main says what is wrong */
        hkt_report(err);
    return CLI_FAILED;
}

static void warm(struct bench *bench)
{
    uint64_t listed = 0;

    for (size_t i = 0; i < bench->files.count; i++)
        listed += bench->files.files[i].size;
    progress_phase(listed, "reading all files once, so that every way finds them in memory");
    bench->bytes = file_list_warm(&bench->files);
    progress_clear();
    file_list_end_reports(&bench->files);
}

static int hash(struct bench *bench, struct table *table)
{
    if (sha256_setup() < 0) {
        table_note(table,
                   sha256_available()
                       ? "CPU-bound: off, as OpenSSL gives no SHA-256 here."
                       : "CPU-bound: off, as this hocket was built without OpenSSL. Install\n"
                         "libssl-dev (Debian) and build again to have it.");
        return 0;
    }
    table_title_hashing(table, bench);
    if (bench->files.count == 0)
        return 0;
    int err = hashing_create(&bench->hashing, &bench->files, bench->bytes, ways_have_processes());

    if (err == 0)
        err = measures_take(&bench->hashed, &bench->hashing, bench->options.repeat, table_row,
                            table);
    if (err < 0)
        return failed(err);
    table_end(table, &bench->hashed, bench->files.unreadable);
    return 0;
}

static int download(struct bench *bench, struct table *table)
{
    bool apart = bench->options.start_method == HKT_START_FORK && ways_have_processes();
    int err = downloads_begin(&bench->each, &bench->downloads, bench->options.latency, apart);

    if (err < 0)
        return failed(err);
    table_title_downloads(table, bench);
    err = measures_take(&bench->downloaded, &bench->downloads, bench->options.repeat, table_row,
                        table);
    downloads_end(&bench->each);
    if (err < 0)
        return failed(err);
    table_end(table, &bench->downloaded, 0);
    return 0;
}

static int compute(struct bench *bench, struct table *table)
{
    progress_phase(0, "computing in threads and processes");
    int err = textbook_run(&bench->textbook, bench->options.repeat, ways_have_processes());

    progress_clear();
    if (err < 0)
        return failed(err);
    table_textbook(table, &bench->textbook);
    return 0;
}

static int compare_ways(struct bench *bench)
{
    struct table table;
    if (getloadavg(&bench->load, 1) < 1)
        bench->load = 0;
    if (sha256_available())
        warm(bench);
    table_begin(&table, bench);
    int status = hash(bench, &table);

    if (status == 0)
        status = download(bench, &table);
    if (status == 0)
        status = compute(bench, &table);
    if (status != 0)
        return status;
    table_summary(&table, bench);
    if (bench->options.output == BENCH_JSON)
        bench_print_json(bench);
    bool equal = bench->hashed.different + bench->downloaded.different == 0;

    return equal && bench->textbook.equal ? CLI_OK : CLI_FAILED;
}

/* Processes that were asked for, and are not to be had. */
static int cannot_start(const struct bench *bench)
{
    progress_say("processes by %s are not to be had here; leave --start-method out",
                 hkt_start_method_name(bench->options.start_method));
    return CLI_FAILED;
}

static void bench_free(struct bench *bench)
{
    measures_free(&bench->hashed);
    measures_free(&bench->downloaded);
    hashing_destroy(&bench->hashing);
    file_list_free(&bench->files);
}

int bench_main(int argc, char **argv)
{
    struct bench bench = { .bytes = 0 };
    int status = bench_options_parse(&bench.options, argc, argv);

    if (status != 0)
        return status;
    if (bench.options.help) {
        fputs(bench_help, stdout);
        return CLI_OK;
    }
    if (!ways_set_start_method(bench.options.start_method) && bench.options.start_method)
        return cannot_start(&bench);
    if (bench.options.start_method != HKT_START_FORK) /* a copy is of a process with one thread */
        progress_open();
    status = list_files(&bench);
    if (status == 0)
        status = bench.options.output == BENCH_SUMS ? bench_print_sums(&bench)
                                                    : compare_ways(&bench);
    progress_close();
    bench_free(&bench);
    return status;
}
