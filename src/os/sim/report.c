/* SPDX-License-Identifier: MIT */
/* What a simulation has to say: why a schedule failed and who waits for what; with HKT_SIM_TRACE
 * in the environment, each step on standard error; and the seed, when the program dies within a
 * schedule (a failed assert, a bad pointer, exit), so that this death can be had again.
 *
 * For the last of these signal handlers are set while a run lasts, on a stack of their own, since a
 * strand may have died by overflowing its stack; each gives way to what was set before. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "os/sim/describe.h"
#include "os/sim/sim.h"

#define WORDS 160
#define PAGE 4096
#define STRANDS_TOLD 20

/* The schedule in words: how to have it again. */
static const char *schedule_words(char words[WORDS])
{
    if (hkti_sim.strategy == &hkti_sim_exhaustive)
        snprintf(words, WORDS, "exhaustive search, schedule %llu, step %llu",
                 (unsigned long long)hkti_sim.seed, (unsigned long long)hkti_sim.steps);
    else
        snprintf(words, WORDS, "seed %llu, %s, step %llu", (unsigned long long)hkti_sim.seed,
                 hkti_sim.strategy->name, (unsigned long long)hkti_sim.steps);
    return words;
}

static void strand_words(struct hkti_sim_strand *strand, char words[WORDS])
{
    const char *timed = strand->state != HKTI_SIM_RUNNABLE && strand->deadline != HKTI_SIM_NEVER
                            ? ", with a deadline"
                            : "";
    words[0] = '\0';
    if (strand->state == HKTI_SIM_IN_JOIN)
        snprintf(words, WORDS, "waits for the end of thread %u", strand->joined);
    else if (strand->state == HKTI_SIM_RUNNABLE)
        snprintf(words, WORDS, "could go on");
    else if (hkti_sim_describe)
        hkti_sim_describe(strand->local, words, WORDS);
    if (words[0])
        return;
    if (strand->state == HKTI_SIM_IN_FUTEX)
        snprintf(words, WORDS, "waits for futex %p, which is %u%s", (void *)strand->word,
                 *strand->word, timed);
    else
        snprintf(words, WORDS, "waits for fd %d%s", strand->fd, timed);
}

static void report_strands(void)
{
    char words[WORDS];
    uint32_t alive = 0;
    for (uint32_t i = 0; i < hkti_sim.slots_used; i++) {
        struct hkti_sim_strand *strand = hkti_sim.slots[i];
        if (strand->state == HKTI_SIM_FREE || ++alive > STRANDS_TOLD)
            continue;
        strand_words(strand, words);
        hkti_report_line("  thread %u %s", strand->number, words);
    }
    if (alive > STRANDS_TOLD)
        hkti_report_line("  and %u more", alive - STRANDS_TOLD);
}

void hkti_sim_report(int err)
{
    char words[WORDS];
    schedule_words(words);
    if (hkti_sim.verdict == -EDEADLK)
        hkti_report_line("simulation: deadlock: nobody can go on (%s)", words);
    else if (hkti_sim.verdict == -ELOOP)
        hkti_report_line("simulation: livelock: too many steps (%s)", words);
    else if (hkti_sim.verdict == -EINVAL)
        hkti_report_line("simulation: the program did something else when it ran again with the "
                         "same choices (%s)",
                         words);
    else
        hkti_report_line("simulation: the program failed with %d%s%s (%s)", err,
                         hkti_sim.sentence[0] ? ": " : "", hkti_sim.sentence, words);
    report_strands();
}

/* The trace. */

void hkti_sim_trace_open(void)
{
    const char *wanted = getenv("HKT_SIM_TRACE");
    hkti_sim.trace = wanted && strcmp(wanted, "0") != 0;
}

void hkti_sim_trace_line(unsigned kind, const void *address, uint64_t a, uint64_t b,
                         uint64_t result)
{
    static const char *const names[] = {
        [HKTI_OP_LOAD] = "load",    [HKTI_OP_STORE] = "store", [HKTI_OP_EXCHANGE] = "exchange",
        [HKTI_OP_CAS] = "cas",      [HKTI_OP_ADD] = "add",     [HKTI_OP_AND] = "and",
        [HKTI_OP_OR] = "or",        [HKTI_OP_FENCE] = "fence", [HKTI_OP_INIT] = "init",
        [HKTI_SIM_WAIT] = "wait",   [HKTI_SIM_WAKE] = "wake",  [HKTI_SIM_NOW] = "now",
        [HKTI_SIM_PAUSE] = "pause", [HKTI_SIM_POLL] = "poll",  [HKTI_SIM_START] = "start",
        [HKTI_SIM_JOIN] = "join",   [HKTI_SIM_USER] = "point",
    };
    const struct hkti_sim_strand *self = hkti_sim.current;
    char line[WORDS];
    int length = snprintf(
        line, sizeof line,
        "seed %llu step %llu thread %u: %s %p %#llx %#llx: %#llx (%u on the way)\n",
        (unsigned long long)hkti_sim.seed, (unsigned long long)hkti_sim.steps, self->number,
        names[kind], address, (unsigned long long)a, (unsigned long long)b,
        (unsigned long long)result, self->store_count);
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        hkti_sim.trace = false;
}

/* Deaths. */

static const int deadly[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
#define DEADLY (sizeof deadly / sizeof deadly[0])

static struct {
    struct sigaction before[DEADLY];
    stack_t stack_before;
    char stack[16384];
} watch;

static void tell_death(const char *how)
{
    char words[WORDS], line[2 * WORDS];
    int length = snprintf(line, sizeof line, "hocket: simulation: thread %u %s (%s)\n",
                          hkti_sim.current->number, how, schedule_words(words));
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
}

static bool in_guard(const void *address)
{
    const char *stack = hkti_sim.current->stack;
    return (const char *)address >= stack && (const char *)address < stack + PAGE;
}

static void on_death(int signo, siginfo_t *info, void *context)
{
    char how[WORDS];
    (void)context;
    snprintf(how, sizeof how, "died of signal %d", signo);
    if (hkti_seam)
        tell_death((signo == SIGSEGV || signo == SIGBUS) && in_guard(info->si_addr)
                       ? "overflowed its stack"
                       : how);
    for (size_t i = 0; i < DEADLY; i++)
        if (deadly[i] == signo)
            sigaction(signo, &watch.before[i], NULL);
    raise(signo); /* comes when this handler returns */
}

static void on_exit_within(void)
{
    if (hkti_seam)
        tell_death("ended the process");
}

void hkti_sim_watch(bool on)
{
    static bool registered;
    stack_t stack = { .ss_sp = watch.stack, .ss_size = sizeof watch.stack };
    struct sigaction action = { .sa_sigaction = on_death, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    if (on && !registered)
        registered = atexit(on_exit_within) == 0;
    sigemptyset(&action.sa_mask);
    if (on)
        sigaltstack(&stack, &watch.stack_before);
    for (size_t i = 0; i < DEADLY; i++)
        if (on)
            sigaction(deadly[i], &action, &watch.before[i]);
        else
            sigaction(deadly[i], &watch.before[i], NULL);
    if (!on)
        sigaltstack(&watch.stack_before, NULL);
}
