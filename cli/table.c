/* SPDX-License-Identifier: MIT */
/* Figures are right-adjusted, in at most 80 columns. A bar shows the speed-up: BAR_CELLS letters
 * are once the speed of the first way. Colours are few: bold heads, dim asides, green for what is
 * clearly quicker (beyond a quarter, as clocks are noisy), red for wrong results. */
#include "table.h"

#include "cli.h"
#include "sha256.h"
#include "text.h"

#include <hocket/version.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 4, BAR_MAX = 24, COLUMNS_BEFORE_BAR = 70 };

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define GREEN "\033[32m"
#define RED "\033[31m"
#define QUICKER 1.25
#define SHORT 0.1 /* seconds: times below are shown in milliseconds */

HKT_PRINTF(3, 4)
static void paint(const struct table *table, const char *color, const char *format, ...)
{
    va_list args;
    bool colored = table->color && *color;

    if (colored)
        fputs(color, stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    if (colored)
        fputs("\033[0m", stdout);
}

void table_begin(struct table *table, const struct bench *bench)
{
    int room = terminal_width(STDOUT_FILENO) - COLUMNS_BEFORE_BAR;
    unsigned processors = ways_processors();

    *table = (struct table){
        .silent = bench->options.output != BENCH_TABLE,
        .color = terminal_has_color(STDOUT_FILENO, bench->options.color),
        .utf8 = terminal_is_utf8(),
        .bar = room < BAR_CELLS ? 0
               : room < BAR_MAX ? room
                                : BAR_MAX,
    };
    if (table->silent)
        return;
    paint(table, DIM, "hocket %s, %u processor%s", hkt_version(), processors,
          text_plural(processors));
    if (sha256_available())
        paint(table, DIM, ", %s", sha256_library());
    putchar('\n');
    if (!ways_have_processes())
        puts("Processes: off, as they cannot be made here.");
    if (bench->load > processors)
        printf("The machine is busy (load %.1f): computing may gain less here than it could.\n",
               bench->load);
}

void table_note(const struct table *table, const char *text)
{
    if (!table->silent)
        printf("\n%s\n", text);
}

static void heads(struct table *table, const char *unit, double scale)
{
    table->unit = unit;
    table->scale = scale;
    putchar('\n');
    paint(table, DIM, "  %-22s  %7s  %10s  %8s  %11s", "way", "workers", "time", "speed-up", unit);
    putchar('\n');
    cli_flush();
}

void table_title_hashing(struct table *table, const struct bench *bench)
{
    char count[TEXT_MAX], bytes[TEXT_MAX], name[TEXT_MAX];

    if (table->silent)
        return;
    text_name(name, bench->options.dir);
    putchar('\n');
    paint(table, BOLD, "CPU-bound");
    if (bench->files.count == 0) {
        printf("  nothing to hash: there is no readable file below %s\n", name);
        return;
    }
    printf("  SHA-256 of %s file%s below %s, %s\n", text_count(count, bench->files.count),
           text_plural(bench->files.count), name, text_bytes(bytes, bench->bytes));
    heads(table, "MB/s", 1e-6);
}

void table_title_downloads(struct table *table, const struct bench *bench)
{
    if (table->silent)
        return;
    putchar('\n');
    paint(table, BOLD, "I/O-bound");
    printf("  %d downloads of %g s each, from a server on the loopback\n", DOWNLOADS,
           bench->options.latency);
    heads(table, "downloads/s", 1);
}

/* Eighths of a letter, where the locale has them. */
static void bar(const struct table *table, double speed_up)
{
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    double cells = speed_up * BAR_CELLS;
    int parts;

    if (!(cells < table->bar)) /* not finite, too */
        cells = table->bar;
    parts = table->utf8 ? (int)(cells * 8 + 0.5) : (int)(cells + 0.5) * 8;
    if (parts > 0)
        fputs("  ", stdout);
    for (; parts >= 8; parts -= 8)
        fputs(table->utf8 ? "█" : "#", stdout);
    fputs(eighths[parts], stdout);
}

int table_row(void *context, const struct measures *measures)
{
    struct table *table = context;
    const struct measure *last = &measures->ways[measures->count - 1];
    const char *color = last->speed_up >= QUICKER ? GREEN : "";

    if (table->silent)
        return 0;
    if (measures->count == 1)
        table->small = last->seconds < SHORT;
    printf("  %-22s  %7u  ", last->way->name, last->way->workers);
    if (table->small)
        printf("%7.2f ms  ", 1e3 * last->seconds);
    else
        printf("%8.3f s  ", last->seconds);
    paint(table, color, "%7.2fx", last->speed_up);
    printf("  %11.1f", last->rate * table->scale);
    if (last->different > 0)
        paint(table, RED, "  %zu DIFFER", last->different);
    else if (table->bar > 0)
        bar(table, last->speed_up);
    putchar('\n');
    return cli_flush();
}

void table_end(const struct table *table, const struct measures *measures, size_t unreadable)
{
    char count[TEXT_MAX];

    if (table->silent)
        return;
    putchar('\n');
    if (measures->different > 0)
        paint(table, RED, "  Results DIFFER between the ways: hocket has a bug here.");
    else
        printf("  Results are equal in all %zu ways.", measures->count);
    if (measures->rounds > 1)
        printf(" Times are medians of %zu.", measures->rounds);
    if (measures->changed > 0)
        printf(" %s changed meanwhile.", text_count(count, measures->changed));
    if (unreadable > 0)
        printf(" %s could not be read.", text_count(count, unreadable));
    putchar('\n');
}

static void textbook_row(const struct textbook *textbook, const char *head, bool processes)
{
    printf("  %-22s", head);
    for (size_t i = 0; i < TEXTBOOK_RUNS; i++) {
        const struct textbook_run *run = &textbook->runs[i];

        printf("  %10.2f ms", 1e3 * (processes ? run->processes : run->threads));
    }
    putchar('\n');
}

void table_textbook(const struct table *table, const struct textbook *textbook)
{
    if (table->silent)
        return;
    putchar('\n');
    paint(table, BOLD, "Threads and processes");
    printf("  total += i * n, in %d threads and in %d processes\n\n", TEXTBOOK_TASKS,
           TEXTBOOK_TASKS);
    paint(table, DIM, "  %-22s", "times each");
    for (size_t i = 0; i < TEXTBOOK_RUNS; i++)
        paint(table, DIM, "  %13ld", textbook->runs[i].steps);
    putchar('\n');
    textbook_row(textbook, "Threading time:", false);
    if (textbook->has_processes)
        textbook_row(textbook, "Multiprocessing time:", true);
    putchar('\n');
    if (textbook->equal)
        puts("  Totals are equal.");
    else
        paint(table, RED, "  Totals DIFFER: hocket has a bug here.\n");
}

/* The best speed-up among the ways called so; 0 if there is none. */
static double best(const struct measures *measures, const char *name)
{
    double best = 0;

    for (size_t i = 0; i < measures->count; i++) {
        const struct measure *measure = &measures->ways[i];

        if (strcmp(measure->way->name, name) == 0 && measure->speed_up > best)
            best = measure->speed_up;
    }
    return best;
}

void table_summary(const struct table *table, const struct bench *bench)
{
    const char *last = ways[0].name;

    if (table->silent || bench->hashed.count == 0)
        return;
    putchar('\n');
    paint(table, BOLD, "%-24s", "What it buys, at best");
    paint(table, DIM, "  %9s  %9s", "CPU-bound", "I/O-bound");
    putchar('\n');
    for (size_t i = 1; i < ways_count; i++) {
        double cpu = best(&bench->hashed, ways[i].name);
        double io = best(&bench->downloaded, ways[i].name);

        if (strcmp(ways[i].name, last) == 0)
            continue;
        last = ways[i].name;
        printf("  %-22s  ", last);
        paint(table, cpu >= QUICKER ? GREEN : "", "%8.2fx", cpu);
        paint(table, io >= QUICKER ? GREEN : "", "  %8.2fx", io);
        putchar('\n');
    }
}
