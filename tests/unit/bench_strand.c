/* SPDX-License-Identifier: MIT */
/* Stacks of one's own, beside rivals: to switch to one and back; to go round 10 000; to start one and
 * see it end; a million of them parked, each with a guard page, and what memory that takes. All in
 * one thread. bench/README.md tells how to read it.
 *
 * hocket is a coroutine of a carrier, with all that belongs to a strand; hocket-bare the switch
 * alone, as the rivals are. Their stacks come from the same pool. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "common.h"
#include "os/switch.h"
#include "strand/carrier.h"
#include "strand/stack.h"

enum { RING = 10000, STACK = 16 << 10, MILLION = 1000000, RIVAL_MOST = 30000, TURNS = 1000 };

#ifdef HAVE_BOOST
/* Of boost/context/detail/fcontext.hpp, which is C++. */
struct transfer {
    void *context;
    void *data;
};
struct transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *high, size_t size, void (*entry)(struct transfer));
#endif

/* One of a ring; the last one goes on with the thread itself. */
struct place {
    struct place *next; /* NULL: the thread */
    struct hkti_stack stack;
    struct hkti_coroutine *coroutine;
    struct hkti_context context;
    void *fcontext;
    ucontext_t *ucontext;
};

static struct place places[RING], home;
static int used; /* places */
static bool stopping;
static struct hkti_carrier carrier;

/* A system makes a ring, goes round in it, ends it; and starts one that ends at once. */
struct system {
    const char *name;
    void (*make)(struct place *place);
    void (*begin)(struct place *place);
    void (*go)(struct place *place); /* switches to it: back when the last one comes home */
    void (*end)(struct place *place);
    void (*start)(struct place *place);
};

/* hocket. */

static struct hkti_coroutine *strand_ring(void *value)
{
    struct place *place = value;

    hkti_carrier_switch(&carrier, NULL);
    while (!stopping)
        hkti_carrier_switch(&carrier, place->next ? place->next->coroutine : NULL);
    return NULL;
}

static struct hkti_coroutine *strand_nothing(void *value)
{
    (void)value;
    return NULL;
}

static void strand_begin(struct place *place)
{
    place->coroutine = hkti_coroutine_take(&carrier);
    if (!place->coroutine)
        bench_fail("no memory for a coroutine");
    hkti_coroutine_run(place->coroutine, strand_ring, place);
}

static void strand_go(struct place *place)
{
    hkti_carrier_switch(&carrier, place->coroutine);
}

/* Its stack is the carrier's. */
static void strand_make_or_end(struct place *place)
{
    (void)place;
}

static void strand_start(struct place *place)
{
    (void)place;
    hkti_coroutine_run(hkti_coroutine_take(&carrier), strand_nothing, NULL);
}

/* The rest, on stacks of the pool. */

static void take_stack(struct place *place)
{
    if (hkti_stack_take(&place->stack, STACK) < 0)
        bench_fail("no memory for a stack");
}

static void give_stack(struct place *place)
{
    hkti_stack_give(&place->stack);
}

static void bare_ring(void *value)
{
    struct place *place = value;

    hkti_switch(&place->context, &home.context, NULL);
    while (!stopping)
        hkti_switch(&place->context, place->next ? &place->next->context : &home.context, NULL);
    hkti_switch(&place->context, &home.context, NULL);
}

static void bare_nothing(void *value)
{
    hkti_switch(value, &home.context, NULL);
}

static void bare_begin(struct place *place)
{
    hkti_context_make(&place->context, place->stack.low, place->stack.size, bare_ring);
    hkti_switch(&home.context, &place->context, place);
}

static void bare_go(struct place *place)
{
    hkti_switch(&home.context, &place->context, NULL);
}

static void bare_start(struct place *place)
{
    hkti_context_make(&place->context, place->stack.low, place->stack.size, bare_nothing);
    hkti_switch(&home.context, &place->context, &place->context);
}

#ifdef HAVE_BOOST
/* Who is switched to is told by whom, and writes down where that one goes on. */
static void boost_switch(struct place *from, struct place *to)
{
    struct transfer came = jump_fcontext(to->fcontext, from);

    ((struct place *)came.data)->fcontext = came.context;
}

static struct place *boost_to_begin;

static void boost_ring(struct transfer came)
{
    struct place *place = boost_to_begin;

    home.fcontext = came.context;
    boost_switch(place, &home);
    while (!stopping)
        boost_switch(place, place->next ? place->next : &home);
    boost_switch(place, &home);
}

static void boost_nothing(struct transfer came)
{
    jump_fcontext(came.context, came.data);
}

static void boost_run(struct place *place, void (*entry)(struct transfer))
{
    char *high = place->stack.low + place->stack.size;

    place->fcontext = make_fcontext(high, place->stack.size, entry);
}

static void boost_begin(struct place *place)
{
    boost_to_begin = place;
    boost_run(place, boost_ring);
    boost_switch(&home, place);
}

static void boost_go(struct place *place)
{
    boost_switch(&home, place);
}

static void boost_start(struct place *place)
{
    boost_run(place, boost_nothing);
    jump_fcontext(place->fcontext, place);
}
#endif

static ucontext_t ucontext_home;

static void ucontext_ring(unsigned index)
{
    struct place *place = &places[index];

    swapcontext(place->ucontext, &ucontext_home);
    while (!stopping)
        swapcontext(place->ucontext, place->next ? place->next->ucontext : &ucontext_home);
}

static void ucontext_nothing(void)
{
}

static void ucontext_make(struct place *place)
{
    take_stack(place);
    place->ucontext = malloc(sizeof *place->ucontext);
}

static void ucontext_prepare(struct place *place)
{
    getcontext(place->ucontext);
    place->ucontext->uc_stack.ss_sp = place->stack.low;
    place->ucontext->uc_stack.ss_size = place->stack.size;
    place->ucontext->uc_link = &ucontext_home;
}

static void ucontext_begin(struct place *place)
{
    ucontext_prepare(place);
    makecontext(place->ucontext, (void (*)(void))ucontext_ring, 1, (unsigned)(place - places));
    swapcontext(&ucontext_home, place->ucontext);
}

static void ucontext_go(struct place *place)
{
    swapcontext(&ucontext_home, place->ucontext);
}

static void ucontext_end(struct place *place)
{
    free(place->ucontext);
    give_stack(place);
}

static void ucontext_start(struct place *place)
{
    ucontext_prepare(place);
    makecontext(place->ucontext, ucontext_nothing, 0);
    swapcontext(&ucontext_home, place->ucontext);
}

static const struct system systems[] = {
    { "hocket", strand_make_or_end, strand_begin, strand_go, strand_make_or_end, strand_start },
    { "hocket-bare", take_stack, bare_begin, bare_go, give_stack, bare_start },
#ifdef HAVE_BOOST
    { "boost.fcontext", take_stack, boost_begin, boost_go, give_stack, boost_start },
#endif
    { "ucontext", ucontext_make, ucontext_begin, ucontext_go, ucontext_end, ucontext_start },
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

/* In the order of their making; or by chance, but for the first, so that no processor can look ahead. */
static void link_ring(int n, bool by_chance)
{
    static int order[RING];
    uint64_t random = 1;

    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 1 && by_chance; i--) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int other = 1 + (int)((random >> 33) % (uint64_t)i);
        int mine = order[i];
        order[i] = order[other];
        order[other] = mine;
    }
    for (int i = 0; i < n; i++)
        places[order[i]].next = i + 1 < n ? &places[order[i + 1]] : NULL;
}

static void ring_begin(const struct system *system, int n, bool by_chance)
{
    stopping = false;
    used = n;
    link_ring(n, by_chance);
    for (int i = 0; i < n; i++) {
        system->make(&places[i]);
        system->begin(&places[i]);
    }
}

static void ring_end(const struct system *system)
{
    stopping = true;
    for (int i = 0; i < used; i++) {
        system->go(&places[i]);
        system->end(&places[i]);
    }
}

/* As many contexts as the workload has "threads". */
static void measure_ring(const struct bench_workload *workload, int s, double values[])
{
    const struct system *system = &systems[s];
    int n = workload->threads;
    uint64_t rounds = 0, now;

    ring_begin(system, n, strstr(workload->name, "shuffled"));
    uint64_t began = bench_ns(), end = began + (uint64_t)(workload->seconds * 1e9);
    do {
        for (int i = 0; i < 1 + TURNS / n; i++, rounds++)
            system->go(&places[0]);
        now = bench_ns();
    } while (now < end);
    ring_end(system);
    values[0] = (double)(now - began) / (double)rounds / (n + 1);
}

static void measure_start(const struct bench_workload *workload, int s, double values[])
{
    const struct system *system = &systems[s];
    uint64_t times = 0, now;
    uint64_t began = bench_ns(), end = began + (uint64_t)(workload->seconds * 1e9);

    system->make(&places[0]);
    do {
        for (int i = 0; i < TURNS; i++, times++)
            system->start(&places[0]);
        now = bench_ns();
    } while (now < end);
    system->end(&places[0]);
    values[0] = (double)(now - began) / (double)times;
}

/* Parked ones. */

/* KiB, of a line in /proc/self/status. */
static double status(const char *name)
{
    char line[256];
    double value = NAN;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = atof(line + strlen(name));
    if (file)
        fclose(file);
    return value;
}

struct parked {
    double cold, recycled, resident, tables;
};

static void hocket_park(void **parked, int i)
{
    struct hkti_coroutine *coroutine = hkti_coroutine_take(&carrier);

    if (!coroutine)
        bench_fail("no memory for coroutine number %d", i);
    hkti_coroutine_run(coroutine, strand_ring, &home);
    parked[i] = coroutine;
}

static void hocket_unpark(void **parked, int i)
{
    hkti_carrier_switch(&carrier, parked[i]);
}

#ifdef HAVE_BOOST
/* As everybody does it: a mapping each, and its lowest page without access. They are two mappings,
 * and a process may have some 65 000. */
static char *boost_stacks[RIVAL_MOST];
static struct place *boost_places;

static void boost_park(void **parked, int i)
{
    if (!boost_places)
        boost_places = calloc(RIVAL_MOST, sizeof *boost_places);
    if (!boost_stacks[i]) {
        void *low = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (low == MAP_FAILED || mprotect(low, 4096, PROT_NONE) < 0)
            bench_fail("stack number %d: %s", i, strerror(errno));
        boost_stacks[i] = low;
    }
    boost_places[i].stack = (struct hkti_stack){ .low = boost_stacks[i], .size = STACK };
    boost_begin(&boost_places[i]);
    parked[i] = &boost_places[i];
}

static void boost_unpark(void **parked, int i)
{
    boost_go(parked[i]);
}
#endif

static const struct {
    const char *name;
    int most;
    void (*park)(void **parked, int i);
    void (*unpark)(void **parked, int i);
} parkers[] = {
    { "hocket", MILLION, hocket_park, hocket_unpark },
    { "hocket(30k)", RIVAL_MOST, hocket_park, hocket_unpark },
#ifdef HAVE_BOOST
    { "boost+mprotect(30k)", RIVAL_MOST, boost_park, boost_unpark },
#endif
};
enum { PARKERS = sizeof parkers / sizeof parkers[0] };

/* Seconds that it takes to have n parked. */
static double park_all(int s, void **parked, int n)
{
    uint64_t began = bench_ns();

    for (int i = 0; i < n; i++)
        parkers[s].park(parked, i);
    return (double)(bench_ns() - began) / 1e9;
}

static struct parked do_park(int s, int n)
{
    size_t size = (size_t)n * sizeof(void *);
    void **parked = malloc(size);

    memset(parked, 0, size);
    double resident = status("VmRSS:"), tables = status("VmPTE:");
    struct parked result = { .cold = park_all(s, parked, n) * 1e9 / n };
    result.resident = (status("VmRSS:") - resident) * 1024 / n;
    result.tables = (status("VmPTE:") - tables) * 1024 / n;
    stopping = true;
    for (int i = 0; i < n; i++)
        parkers[s].unpark(parked, i);
    stopping = false;
    result.recycled = park_all(s, parked, n) * 1e9 / n;
    return result;
}

/* In a process of its own each time, so that the first are cold. */
static void measure_parked(const struct bench_workload *workload, int s, double values[])
{
    int n = workload->seconds < 0.1 ? parkers[s].most / 100 : parkers[s].most;
    struct parked parked = { 0 };
    int ends[2], how;

    if (pipe(ends) < 0)
        bench_fail("pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        parked = do_park(s, n);
        _exit(write(ends[1], &parked, sizeof parked) != sizeof parked);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &parked, sizeof parked) != sizeof parked ||
        waitpid(child, &how, 0) != child)
        bench_fail("%s: %s failed", workload->name, parkers[s].name);
    close(ends[0]);
    values[0] = parked.cold;
    values[1] = parked.recycled;
    values[2] = parked.resident;
    values[3] = parked.tables;
}

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = {
        { "strand-switch", measure_ring, 0.1, 1, 0, { { "switch", "ns", BENCH_LESS } } },
        { "strand-switch-10000", measure_ring, 0.1, RING, 0, { { "switch", "ns", BENCH_LESS } } },
        { "strand-shuffled-10000", measure_ring, 0.1, RING, 0, { { "switch", "ns", BENCH_LESS } } },
        { "strand-start", measure_start, 0.1, 1, 0, { { "start+join", "ns", BENCH_LESS } } },
    };
    static const struct bench_workload million = {
        "strand-parked-million",
        measure_parked,
        1,
        1,
        0,
        { { "start_cold", "ns", BENCH_LESS },
          { "start_recycled", "ns", BENCH_LESS },
          { "resident", "B", BENCH_LESS },
          { "page_tables", "B", BENCH_LESS } },
    };
    const char *names[SYSTEMS], *parker_names[PARKERS];

    bench_begin(argc, argv, "Coroutines: switch, start, a million parked.");
    hkti_carrier_begin(&carrier, STACK);
    for (int i = 0; i < PARKERS; i++)
        parker_names[i] = parkers[i].name;
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i].name;
    bench_measure(&million, parker_names, PARKERS);
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    hkti_carrier_end(&carrier);
    return bench_end();
}
