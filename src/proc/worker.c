/* SPDX-License-Identifier: MIT */
/* A worker of a process pool: takes jobs off the board and runs them, each in a scope of its own on
 * the process's first thread, until it is told to leave or has done enough.
 *
 * A second thread sleeps until the parent says that a job is to be cancelled, and ends its scope: the
 * first one is in the job. It needs nothing that a job could take away, neither fds nor signals.
 *
 * Who may touch what: scope, block, generation under the guard, changed by the first thread; the rest is
 * that thread's. */
#include <errno.h>
#include <hocket/scope.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "os/os.h"
#include "park/guard.h"
#include "park/scope.h"
#include "park/spin.h"
#include "proc/process_map.h"
#include "thread/context.h"

#define SPINS 6 /* times as long as any other waiter */

struct worker {
    struct hkti_board *board;
    struct hkti_worker_record *record;
    unsigned place;
    uint32_t guard;
    hkt_scope *scope; /* of the job that runs; NULL */
    struct hkti_block *block;
    uint32_t generation;
    uint32_t over, listens;
    uint64_t jobs;
    hkti_function_name name; /* of the function that was decoded last */
    hkt_job *function;
    struct hkti_os_thread control;
};

static uint32_t forked; /* this is a copy of a worker, made by a job */

static void in_child(void)
{
    hkti_store_relaxed(&forked, 1);
}

/* Under the guard: is the job that runs to be cancelled? */
static void look(struct worker *worker)
{
    if (worker->scope &&
        hkti_load_acquire(&worker->block->cancel) == worker->generation) /* pairs: told */
        hkt_scope_cancel(worker->scope);
}

static void control_main(void *arg)
{
    struct worker *worker = arg;
    uint32_t seen = 0;
    hkti_store_release(&worker->listens, 1); /* pairs: control-begun */
    while (!hkti_load_relaxed(&worker->over)) {
        uint32_t now = hkti_load_acquire(&worker->record->control); /* pairs: told */
        if (now == seen) {
            hkti_os_futex_wait_either(NULL, 0, &worker->record->control, seen, 0);
            continue;
        }
        seen = now;
        hkti_guard_acquire(&worker->guard);
        look(worker);
        hkti_guard_release(&worker->guard);
    }
}

static void enter(struct worker *worker, hkt_scope *scope, struct hkti_block *block)
{
    uint64_t state = hkti_load_relaxed(&block->state);
    hkt_scope_enter(scope, &(hkt_scope_options){ .deadline = { block->deadline } });
    hkti_guard_acquire(&worker->guard);
    worker->block = block;
    worker->generation = hkti_block_generation(state);
    worker->scope = scope;
    if (hkti_load_relaxed(&worker->record->control) != 0)
        look(worker); /* it may have been said before */
    hkti_guard_release(&worker->guard);
}

static int leave(struct worker *worker, hkt_scope *scope, int result)
{
    hkti_guard_acquire(&worker->guard);
    worker->scope = NULL;
    hkti_guard_release(&worker->guard);
    return hkt_scope_leave_with(scope, result);
}

/* Calls the user's function, as if nothing had been in this thread before. */
static int call(struct worker *worker, void *arg)
{
    struct hkti_strand *self = hkti_self();
    self->sentence_err = 0;
    int result = worker->function(arg);
    if (hkti_load_relaxed(&forked))
        _exit(result < 0 ? 1 : result & 0xff); /* the job's child came back from it */
    hkti_context_drop(self->context);
    self->context = NULL;
    return result;
}

static bool copy_sentence(char sentence[HKT_SENTENCE_MAX], int result)
{
    const struct hkti_strand *self = hkti_self();
    if (result >= 0 || self->sentence_err != result)
        return false;
    memcpy(sentence, self->sentence, HKT_SENTENCE_MAX);
    return true;
}

static int decode(struct worker *worker, hkti_function_name name)
{
    if (name == worker->name)
        return 0;
    int err = hkti_function_decode(name, &worker->function);
    worker->name = err < 0 ? 0 : name;
    return err;
}

/* Until all have ended, one has failed, there is no room for sentences, or it is cancelled. */
static int run_part(struct worker *worker, struct hkti_part *part, hkt_scope *scope)
{
    for (uint32_t i = 0; i < part->count; i++) {
        if (hkt_scope_cancelled(scope) || part->sentence_count == HKTI_PART_SENTENCES)
            break;
        hkti_store_release(&part->begun, i + 1); /* pairs: part */
        int code = call(worker, hkti_part_item(part, i));
        part->codes[i] = code;
        if (copy_sentence(part->sentences[part->sentence_count], code))
            part->sentence_of[part->sentence_count++] = i;
        hkti_store_release(&part->ended, i + 1); /* pairs: part */
        if (code < 0 && !part->keep_going)
            break;
    }
    return 0;
}

/* False: this process is to end. */
static bool run(struct worker *worker, unsigned index)
{
    struct hkti_block *block = &worker->board->blocks[index];
    hkt_scope scope;
    int result = decode(worker, block->function);
    if (result == 0) {
        void *arg = block->flags & HKTI_BLOCK_INLINE ? block->bytes : block->argument;
        enter(worker, &scope, block);
        result = block->flags & HKTI_BLOCK_MAP ? run_part(worker, arg, &scope) : call(worker, arg);
        result = leave(worker, &scope, result);
    }
    if (copy_sentence(worker->board->sentences[index], result))
        block->flags |= HKTI_BLOCK_SENTENCE;
    block->result = result;
    if (__fpending(stdout) > 0)
        fflush(stdout);
    return hkti_board_end(worker->board, index);
}

static void set_state(struct worker *worker, uint32_t state)
{
    hkti_exchange_seq_cst(&worker->board->states[worker->place], state); /* pairs: seek */
}

/* It has begun a job: others may have to come, and others to be told. */
static void pass_on(struct hkti_board *board)
{
    struct hkti_bells *bells = &board->bells;
    if (hkti_load_seq_cst(&bells->room_wanted)) /* pairs: room */
        hkti_board_ring_watcher(board);
    else if (hkti_board_ready(board) > 0 && !hkti_board_call(board) &&
             hkti_load_relaxed(&bells->worker_wanted))
        hkti_board_ring_watcher(board);
}

/* Looks for a job for some time without sleeping: its block, or -1. */
static int seek(struct worker *worker)
{
    unsigned pauses = hkti_spin_max(), quarter = pauses / 2 + 1;
    int block = hkti_board_take(worker->board, worker->place, worker->jobs);
    for (unsigned i = 1; block < 0 && i <= SPINS * pauses; i++) {
        if (hkti_load_relaxed(&worker->board->bells.closing))
            break;
        if (i % quarter == 0)
            hkti_os_yield(0);
        else
            hkti_os_pause();
        if (hkti_board_ready(worker->board) > 0)
            block = hkti_board_take(worker->board, worker->place, worker->jobs);
    }
    return block;
}

/* Sleeps until it is called: false if it has had nothing to do for long enough. */
static bool sleep_until_called(struct worker *worker)
{
    uint32_t *state = &worker->board->states[worker->place];
    int64_t idle = worker->board->max_idle;
    int64_t deadline = idle ? hkti_os_now() + idle : 0;
    if (!hkti_board_doze(worker->board, worker->place))
        return true;
    while (hkti_load_acquire(state) == HKTI_WORKER_ASLEEP) /* pairs: seek */
        if (hkti_os_futex_wait_either(NULL, 0, state, HKTI_WORKER_ASLEEP, deadline) == -ETIMEDOUT &&
            hkti_cas_seq_cst(state, HKTI_WORKER_ASLEEP, HKTI_WORKER_LEAVING)) /* pairs: seek */
            return false;
    return true;
}

static void work(struct worker *worker)
{
    struct hkti_board *board = worker->board;
    bool awake = false;
    set_state(worker, HKTI_WORKER_SEEKING);
    while (board->max_jobs == 0 || worker->jobs < board->max_jobs) {
        int block = hkti_board_take(board, worker->place, worker->jobs);
        if (block < 0 && awake) {
            awake = false;
            set_state(worker, HKTI_WORKER_SEEKING);
        }
        if (block < 0)
            block = seek(worker);
        if (block < 0) {
            if (hkti_load_seq_cst(&board->bells.closing)) /* pairs: seek */
                break;
            if (!sleep_until_called(worker))
                break;
            continue;
        }
        if (!awake)
            set_state(worker, HKTI_WORKER_AWAKE);
        awake = true;
        pass_on(board);
        worker->jobs++;
        if (!run(worker, (unsigned)block))
            break;
    }
    set_state(worker, HKTI_WORKER_LEAVING);
    hkti_board_ring_watcher(board);
}

/* False: it has failed, and the parent will find why. */
static bool initialize(struct worker *worker, void **copy)
{
    struct hkti_board *board = worker->board;
    struct hkti_worker_record *record = worker->record;
    hkt_scope scope;
    if (board->initializer == 0)
        return true;
    hkti_store_release(&record->initializing, 1); /* pairs: initializing */
    int result = decode(worker, board->initializer);
    if (result == 0 && board->initializer_arg) {
        *copy = hkti_allocate(board->initializer_size);
        result = *copy ? 0 : -ENOMEM;
        if (*copy)
            memcpy(*copy, board->initializer_arg, board->initializer_size);
    }
    if (result == 0) {
        hkt_scope_enter(&scope, NULL);
        result = worker->function(*copy);
        hkt_scope_leave(&scope);
    }
    fflush(stdout);
    if (result >= 0) {
        hkti_store_release(&record->initializing, 0); /* pairs: initializing */
        return true;
    }
    if (!copy_sentence(record->sentence, result))
        record->sentence[0] = 0;
    record->result = result;
    set_state(worker, HKTI_WORKER_LEAVING);
    hkti_board_ring_watcher(board);
    return false;
}

int hkti_process_worker_main(void *arg)
{
    const struct hkti_worker_arg *given = arg;
    struct worker worker = { .board = given->board, .place = given->place };
    worker.record = &worker.board->workers[worker.place];
    worker.control.stack_size = (size_t)64 << 10;
    void *copy = NULL;
    int err = hkti_os_at_fork(in_child);
    if (err == 0)
        err = hkti_os_thread_start(&worker.control, control_main, &worker);
    if (err < 0)
        return err;
    if (initialize(&worker, &copy))
        work(&worker);
    if (copy)
        hkti_release(copy, worker.board->initializer_size);
    hkti_store_relaxed(&worker.over, 1);
    hkti_fetch_add_seq_cst(&worker.record->control, 1); /* pairs: told */
    hkti_os_shared_futex_wake(&worker.record->control, 1);
    unsigned turns = 0;
    while (!hkti_load_acquire(&worker.listens)) /* pairs: control-begun */
        hkti_os_yield(turns++);                 /* only then its handle is known */
    hkti_os_thread_join(&worker.control);
    return 0;
}
