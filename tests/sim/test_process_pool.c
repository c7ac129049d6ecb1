/* SPDX-License-Identifier: MIT */
/* The board of a process pool, under all schedules, with a worker that dies between any two of its
 * accesses to it: each job that was posted ends once, done, recalled or lost with that worker, and
 * nobody sleeps while there is something to do.
 *
 * The protocol is compiled once more here, with atomic operations that count: the worker that is to
 * die leaves by longjmp before the one at which its budget is used up. */
#include <setjmp.h>

#include "base/atomic.h"
#include "os/os.h"
#include "proof.h"

static jmp_buf death;
static uintptr_t mortal; /* the memory of the strand that dies */
static int budget;

static void step(void)
{
    if (mortal && (uintptr_t)hkti_os_local() == mortal && budget-- == 0)
        longjmp(death, 1);
}

#undef hkti_load_relaxed
#undef hkti_load_acquire
#undef hkti_load_seq_cst
#undef hkti_store_relaxed
#undef hkti_store_release
#undef hkti_store_seq_cst
#undef hkti_exchange_acquire
#undef hkti_cas_acq_rel
#undef hkti_cas_seq_cst
#undef hkti_fetch_add_seq_cst
#define hkti_load_relaxed(p) (step(), HKTI_LOAD(p, __ATOMIC_RELAXED))
#define hkti_load_acquire(p) (step(), HKTI_LOAD(p, __ATOMIC_ACQUIRE))
#define hkti_load_seq_cst(p) (step(), HKTI_LOAD(p, __ATOMIC_SEQ_CST))
#define hkti_store_relaxed(p, v) (step(), HKTI_STORE(p, v, __ATOMIC_RELAXED))
#define hkti_store_release(p, v) (step(), HKTI_STORE(p, v, __ATOMIC_RELEASE))
#define hkti_store_seq_cst(p, v) (step(), HKTI_STORE(p, v, __ATOMIC_SEQ_CST))
#define hkti_exchange_acquire(p, v) (step(), HKTI_EXCHANGE(p, v, __ATOMIC_ACQUIRE))
#define hkti_cas_acq_rel(p, e, v) (step(), HKTI_CAS(p, e, v, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
#define hkti_cas_seq_cst(p, e, v) (step(), HKTI_CAS(p, e, v, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#define hkti_fetch_add_seq_cst(p, v) (step(), HKTI_ADD(p, v, __ATOMIC_SEQ_CST))

#define hkti_board_post sim_board_post
#define hkti_board_recall sim_board_recall
#define hkti_board_condemn sim_board_condemn
#define hkti_board_collect sim_board_collect
#define hkti_board_lost sim_board_lost
#define hkti_board_take sim_board_take
#define hkti_board_end sim_board_end
#define hkti_board_ready sim_board_ready
#define hkti_board_call sim_board_call
#define hkti_board_call_again sim_board_call_again
#define hkti_board_ring_watcher sim_board_ring_watcher
#define hkti_board_doze sim_board_doze
#include "../../src/proc/job_board.c"

enum { JOBS = 3, WORKERS = 2 };

static struct hkti_board board;
static int ran[JOBS], settled[JOBS];
static uint32_t dead;

static void begin(void)
{
    memset(board.rings[0].entries, 0, 8 * sizeof board.rings[0].entries[0]);
    for (int i = 0; i < HKTI_BOARD_RINGS; i++)
        board.rings[i].head = board.rings[i].tail = 0;
    board.done = 0;
    board.bells = (struct hkti_bells){ .attending = 1 };
    board.max_place = WORKERS;
    memset(board.states, 0, WORKERS * sizeof board.states[0]);
    memset(board.blocks, 0, JOBS * sizeof board.blocks[0]);
    memset(ran, 0, sizeof ran);
    memset(settled, 0, sizeof settled);
    mortal = 0;
    dead = 0;
}

/* As work() in proc/worker.c does. */
static void work(unsigned worker)
{
    uint32_t *state = &board.states[worker];
    bool awake = false;
    hkti_store_seq_cst(state, HKTI_WORKER_SEEKING);
    for (;;) {
        int block = hkti_board_take(&board, worker, 0);
        if (block < 0 && awake) {
            awake = false;
            hkti_store_seq_cst(state, HKTI_WORKER_SEEKING);
            continue;
        }
        if (block < 0 && hkti_load_seq_cst(&board.bells.closing))
            break;
        if (block < 0) {
            if (hkti_board_doze(&board, worker))
                while (hkti_load_acquire(state) == HKTI_WORKER_ASLEEP)
                    hkti_os_futex_wait_either(NULL, 0, state, HKTI_WORKER_ASLEEP, 0);
            continue;
        }
        if (!awake)
            hkti_store_seq_cst(state, HKTI_WORKER_AWAKE);
        awake = true;
        if (hkti_board_ready(&board) > 0)
            (void)hkti_board_call(&board);
        ran[block]++;
        if (!hkti_board_end(&board, (unsigned)block))
            break;
    }
    hkti_store_seq_cst(state, HKTI_WORKER_LEAVING);
}

static int lives(void *arg)
{
    (void)arg;
    work(1);
    return 0;
}

/* Its end is told as the process layer does. */
static int dies(void *arg)
{
    (void)arg;
    if (setjmp(death) == 0) {
        mortal = (uintptr_t)hkti_os_local();
        work(0);
    }
    mortal = 0;
    hkti_store_seq_cst(&dead, 1);
    hkti_fetch_add_seq_cst(&board.bells.rings, 1);
    hkti_os_shared_futex_wake(&board.bells.rings, INT32_MAX);
    return 0;
}

static int collect(void)
{
    uint16_t blocks[HKTI_BLOCKS];
    unsigned count = hkti_board_collect(&board, blocks);
    for (unsigned i = 0; i < count; i++)
        settled[blocks[i]]++;
    return (int)count;
}

/* The watcher buries worker 0. */
static int bury(void)
{
    bool ended;
    int count = collect();
    for (unsigned i = 0; i < JOBS; i++)
        if (hkti_board_lost(&board, i, 0, &ended)) {
            settled[i]++;
            count++;
        }
    hkti_store_seq_cst(&board.states[0], HKTI_WORKER_NONE);
    if (hkti_board_ready(&board) > 0)
        hkti_board_call_again(&board);
    return count;
}

static int parent(void *arg)
{
    int left = JOBS;
    bool buried = false;
    (void)arg;
    for (unsigned i = 0; i < JOBS; i++) {
        MUST(hkti_board_post(&board, i));
        (void)hkti_board_call(&board);
    }
    if (hkti_board_recall(&board, 1)) {
        settled[1]++;
        left--;
    }

    while (left > 0 || !buried) {
        uint32_t rings = hkti_load_seq_cst(&board.bells.rings);
        hkti_fetch_add_seq_cst(&board.bells.sleepers, 1);
        left -= collect();
        if (!buried && hkti_load_seq_cst(&dead)) {
            left -= bury();
            buried = true;
        } else if (left == 0) {
            hkti_store_seq_cst(&board.bells.closing, 1);
            hkti_board_call_again(&board);
            hkti_board_call_again(&board);
            if (!hkti_load_seq_cst(&dead))
                hkti_os_futex_wait_either(NULL, 0, &board.bells.rings, rings, 0);
        } else {
            hkti_os_futex_wait_either(NULL, 0, &board.bells.rings, rings, 0);
        }
        hkti_fetch_add_seq_cst(&board.bells.sleepers, (uint32_t)-1);
    }
    hkti_store_seq_cst(&board.bells.closing, 1);
    hkti_board_call_again(&board);
    return 0;
}

static int scenario(void *arg)
{
    static int chosen;
    (void)arg;
    chosen = budget;
    begin();
    int err = TOGETHER(parent, dies, lives);
    budget = chosen;
    for (int i = 0; err >= 0 && i < JOBS; i++)
        MUST(settled[i] == 1 && ran[i] <= 1);
    return err;
}

TEST_TIMEOUT(a_worker_that_dies_at_any_point_loses_its_job_alone, 120)
{
    for (int at = 1; at < 60; at++) {
        budget = at;
        prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(200), scenario);
        budget = at;
        prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(200), scenario);
        budget = at;
        prove_by(HKT_SIMULATE_EXHAUSTIVE, (uint64_t)test_scaled(200), scenario);
    }
}

TEST_TIMEOUT(workers_that_live_run_each_job_once, 60)
{
    budget = INT32_MAX;
    prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(6000), scenario);
    prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(6000), scenario);
    prove_by(HKT_SIMULATE_EXHAUSTIVE, (uint64_t)test_scaled(6000), scenario);
}
