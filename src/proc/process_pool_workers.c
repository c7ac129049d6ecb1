/* SPDX-License-Identifier: MIT */
/* The workers of a process pool, as its watcher sees them: started when there are jobs that nobody comes
 * for, seen to leave and to end, buried, replaced. All but the ends are by the watcher's thread, or
 * before there is one.
 *
 * A death is told by the process layer, once, when it has buried the process. Then the stack of ended
 * jobs is emptied, and what is still the dead one's on the board was lost with it (job_board.h). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/seconds.h"
#include "os/os.h"
#include "proc/arena.h"
#include "proc/process_map.h"

#define BAD_STARTS 5                        /* in a row, with no worker left: it is no use */
#define PATIENCE (3 * HKTI_SECOND)          /* without any worker */
#define FIRST_PAUSE (10 * HKTI_MILLISECOND) /* between starts that fail; doubled each time */
#define LEAVE_SOON (HKTI_SECOND / 10)       /* after which one that should leave is continued, */
#define LEAVE_TIME (5 * HKTI_SECOND)        /* and killed */

/* By who has seen it end; the process is not to be touched here. */
static void ended(void *arg)
{
    struct hkti_place *place = arg;
    struct hkti_process_pool *pool = place->pool;
    hkti_store_release(&place->gone, 1); /* pairs: gone */
    hkti_process_pool_attend_to(pool);
    hkti_store_release(&place->told, 1); /* pairs: gone; the last touch of the pool */
}

static int free_place(const struct hkti_process_pool *pool)
{
    for (int i = 0; i < HKTI_BOARD_PLACES; i++)
        if (pool->places[i].process == NULL)
            return i;
    return -1;
}

/* One more is started, before it is; or was not after all. */
static void count_worker(struct hkti_process_pool *pool, int n)
{
    hkti_guard_acquire(&pool->guard);
    pool->started += (uint64_t)(int64_t)n;
    hkti_store_relaxed(&pool->alive, pool->alive + (unsigned)n);
    hkti_store_relaxed(&pool->board->bells.worker_wanted, pool->alive < pool->executor.max_workers);
    hkti_guard_release(&pool->guard);
}

int hkti_process_pool_start_worker(struct hkti_process_pool *pool)
{
    int index = free_place(pool);
    if (index < 0)
        return -EAGAIN;
    struct hkti_place *place = &pool->places[index];
    struct hkti_board *board = pool->board;
    char name[HKT_NAME_MAX + 16];
    struct hkti_worker_arg arg = { .board = board, .place = (uint32_t)index };
    snprintf(name, sizeof name, "%s-%d", pool->name, index + 1);
    hkti_guard_acquire(&pool->guard); /* others look whether there is a process */
    *place = (struct hkti_place){ .pool = pool };
    hkti_guard_release(&pool->guard);
    board->workers[index] = (struct hkti_worker_record){ .result = 0 };
    hkti_store_seq_cst(&board->states[index], HKTI_WORKER_STARTING); /* pairs: seek */
    if ((unsigned)index >= hkti_load_relaxed(&board->max_place))
        hkti_store_relaxed(&board->max_place, (uint32_t)index + 1);
    hkt_process_options options = { .name = name, .method = pool->method, .daemon = true };
    hkt_process *process;
    count_worker(pool, 1);
    int err = hkti_process_spawn(&process, hkti_process_worker_main, &arg, sizeof arg, &options,
                                 pool->server, true, ended, place);
    if (err < 0) {
        hkti_store_seq_cst(&board->states[index], HKTI_WORKER_NONE); /* pairs: seek */
        count_worker(pool, -1);
        return err;
    }
    hkti_guard_acquire(&pool->guard);
    place->process = process;
    if (pool->terminated)
        pool->signal = pool->terminated;
    hkti_guard_release(&pool->guard);
    return 0;
}

/* How it ended, in words. */
static void describe(const struct hkti_process_pool *pool, unsigned index, char text[64])
{
    const struct hkt_process *process = pool->places[index].process;
    int status = hkti_process_record(process)->status;
    size_t room = 64;
    int used = snprintf(text, room, "%.20s-%u (pid %d) ", pool->name, index + 1,
                        hkt_process_pid(process));
    if (used < 0 || (size_t)used >= room)
        return;
    text += used;
    room -= (size_t)used;
    if (WIFSIGNALED(status) && sigabbrev_np(WTERMSIG(status)))
        snprintf(text, room, "was killed by signal %d (SIG%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)));
    else if (WIFSIGNALED(status))
        snprintf(text, room, "was killed by signal %d", WTERMSIG(status));
    else
        snprintf(text, room, "was left by exit(%d)", WEXITSTATUS(status));
}

/* A job was lost with its worker: parked again, or ended. Under the guard, which is free meanwhile. */
static void lose(struct hkti_process_pool *pool, unsigned block, const char *how)
{
    struct hkti_parcel *parcel = pool->parcels[block];
    char sentence[HKT_SENTENCE_MAX], name[HKT_NAME_MAX] = "";
    struct hkti_outcome outcome = { .result = -EOWNERDEAD, .sentence = sentence, .lost = true };
    bool part = parcel->flags & HKTI_PARCEL_PART;
    if (parcel->flags & HKTI_PARCEL_KILLED) {
        bool late = parcel->flags & HKTI_PARCEL_TIMED_OUT;
        outcome = (struct hkti_outcome){ .result = late ? -ETIMEDOUT : -ECANCELED, .lost = part };
    } else if (!part && pool->on_lost_worker == HKT_LOST_RETRY && parcel->lost < pool->retries &&
               !pool->terminated &&
               !(parcel->flags & (HKTI_PARCEL_CANCEL | HKTI_PARCEL_TIMED_OUT))) {
        parcel->lost++;
        if (parcel->memory) { /* the dead one may have changed it */
            pool->bytes -= parcel->size;
            hkti_shared_release(parcel->memory);
            parcel->memory = NULL;
        }
        hkti_process_pool_free(pool, block);
        hkti_process_pool_repark(pool, parcel);
        return;
    }
    pool->lost_jobs += outcome.result == -EOWNERDEAD;
    hkti_guard_release(&pool->guard);
    if (parcel->future)
        hkti_task_name(parcel->future, name);
    if (part) /* the map knows which item it was */
        snprintf(sentence, sizeof sentence, "%.63s", how);
    else if (parcel->lost > 0)
        snprintf(sentence, sizeof sentence, "%.30s killed %u workers; %.63s", name,
                 parcel->lost + 1U, how);
    else
        snprintf(sentence, sizeof sentence, "%.36s was lost: %.63s", name, how);
    hkti_process_pool_conclude(pool, block, &outcome);
    hkti_guard_acquire(&pool->guard);
    hkti_process_pool_free(pool, block);
    hkti_parcel_release(pool, parcel);
    hkti_process_pool_count_down(pool);
}

/* What a dead worker had on the board. */
static void settle(struct hkti_process_pool *pool, unsigned worker, const char *how)
{
    bool done;
    hkti_process_pool_drain(pool);
    hkti_guard_acquire(&pool->guard);
    for (unsigned i = 0; i < HKTI_BLOCKS; i++) {
        if (pool->parcels[i] == NULL || !hkti_board_lost(pool->board, i, worker, &done))
            continue;
        struct hkti_parcel *parcel = pool->parcels[i];
        if (!done) {
            lose(pool, i, how);
            continue;
        }
        hkti_guard_release(&pool->guard);
        hkti_process_pool_conclude(pool, i, NULL);
        hkti_guard_acquire(&pool->guard);
        hkti_process_pool_free(pool, i);
        hkti_parcel_release(pool, parcel);
        hkti_process_pool_count_down(pool);
    }
    hkti_process_pool_refill(pool);
}

/* The pool is broken: all that has not begun ends with this, now and later. */
static void break_pool(struct hkti_process_pool *pool, int err, const char *sentence)
{
    hkti_guard_acquire(&pool->guard);
    if (pool->broken == 0) {
        snprintf(pool->broken_sentence, sizeof pool->broken_sentence, "%s", sentence);
        pool->broken = err;
    }
    struct hkti_outcome outcome = { .result = pool->broken, .sentence = pool->broken_sentence };
    hkti_guard_release(&pool->guard);
    if (outcome.sentence[0] == 0)
        outcome.sentence = NULL;
    hkti_process_pool_end_pending(pool, &outcome);
}

/* No worker can be had: what has not begun ends with this, if that has been so for long enough. */
static void bad_start(struct hkti_process_pool *pool, int64_t now, int err, const char *sentence)
{
    unsigned shift = pool->starts_bad < 7 ? pool->starts_bad : 7;
    pool->starts_bad++;
    pool->start_at = now + (FIRST_PAUSE << shift);
    if (pool->bad_since == 0)
        pool->bad_since = now;
    bool none = hkti_load_relaxed(&pool->alive) == 0;
    if (!none ||
        (now - pool->bad_since < PATIENCE && (err != -EOWNERDEAD || pool->starts_bad < BAD_STARTS)))
        return;
    struct hkti_outcome outcome = { .result = err, .sentence = sentence };
    hkti_process_pool_end_pending(pool, &outcome);
    pool->bad_since = 0;
    pool->starts_bad = 0;
}

/* A worker's process has ended. */
static void bury(struct hkti_process_pool *pool, unsigned index, int64_t now)
{
    struct hkti_place *place = &pool->places[index];
    struct hkti_worker_record *record = &pool->board->workers[index];
    char how[64], sentence[HKT_SENTENCE_MAX];
    uint32_t state = hkti_load_acquire(&pool->board->states[index]); /* pairs: seek */
    bool initializing = hkti_load_acquire(&record->initializing);    /* pairs: initializing */
    for (unsigned turns = 0; !hkti_load_acquire(&place->told);)      /* pairs: gone */
        hkti_os_yield(turns++);
    describe(pool, index, how);
    settle(pool, index, how);
    hkti_guard_acquire(&pool->guard);
    hkti_store_seq_cst(&pool->board->states[index], HKTI_WORKER_NONE); /* pairs: seek */
    hkt_process *process = place->process;
    place->process = NULL;
    if (!place->leaving)
        hkti_store_relaxed(&pool->alive, pool->alive - 1);
    hkti_store_relaxed(&pool->board->bells.worker_wanted, 1);
    bool terminated = pool->terminated;
    hkti_guard_release(&pool->guard);
    hkt_process_destroy(process);
    if (hkti_board_ready(pool->board) > 0) /* it may have been called, or have been calling */
        hkti_board_call_again(pool->board);
    record->sentence[sizeof record->sentence - 1] = 0;
    if (terminated)
        return;
    if (initializing && record->result < 0) {
        break_pool(pool, record->result, record->sentence);
    } else if (initializing) {
        snprintf(sentence, sizeof sentence, "in the initializer %s", how);
        break_pool(pool, -EOWNERDEAD, sentence);
    } else if (state == HKTI_WORKER_STARTING) {
        snprintf(sentence, sizeof sentence, "before it began %s", how);
        bad_start(pool, now, -EOWNERDEAD, sentence);
    } else {
        pool->starts_bad = 0;
        pool->bad_since = pool->start_at = 0;
    }
}

/* All get the signal that somebody wants them to get. */
static void send_signals(struct hkti_process_pool *pool)
{
    unsigned places = hkti_load_relaxed(&pool->board->max_place);
    hkti_guard_acquire(&pool->guard);
    int signo = pool->signal;
    pool->signal = 0;
    hkti_guard_release(&pool->guard);
    for (unsigned i = 0; signo && i < places; i++)
        if (pool->places[i].process)
            hkt_process_send_signal(pool->places[i].process, signo);
}

/* It should leave by now: it goes on if it was stopped; or else it is killed. */
static void urge(struct hkti_place *place, int64_t now)
{
    bool first = !place->continued;
    place->continued = true;
    place->leave_by = first ? now + LEAVE_TIME : 0;
    hkt_process_send_signal(place->process, first ? SIGCONT : SIGKILL);
}

void hkti_process_pool_look_at_workers(struct hkti_process_pool *pool, int64_t now)
{
    unsigned places = hkti_load_relaxed(&pool->board->max_place);
    send_signals(pool);
    for (unsigned i = 0; i < places; i++) {
        struct hkti_place *place = &pool->places[i];
        if (place->process == NULL)
            continue;
        if (hkti_load_acquire(&place->gone)) { /* pairs: gone */
            bury(pool, i, now);
        } else if (!place->leaving &&
                   hkti_load_relaxed(&pool->board->states[i]) == HKTI_WORKER_LEAVING) {
            hkti_guard_acquire(&pool->guard);
            place->leaving = true;
            place->leave_by = now + (place->continued ? LEAVE_TIME : LEAVE_SOON);
            hkti_store_relaxed(&pool->alive, pool->alive - 1);
            hkti_guard_release(&pool->guard);
        } else if (place->leave_by && place->leave_by <= now) {
            urge(place, now);
        }
    }
}

/* How many come, or could be called. */
static size_t count_idle(struct hkti_process_pool *pool)
{
    unsigned places = hkti_load_relaxed(&pool->board->max_place);
    size_t idle = 0;
    for (unsigned i = 0; i < places; i++) {
        uint32_t state = hkti_load_relaxed(&pool->board->states[i]);
        idle += state == HKTI_WORKER_STARTING || state == HKTI_WORKER_SEEKING ||
                state == HKTI_WORKER_ASLEEP;
    }
    return idle;
}

static bool is_given_up(struct hkti_process_pool *pool)
{
    hkti_guard_acquire(&pool->guard);
    bool given_up = pool->terminated || pool->broken;
    hkti_guard_release(&pool->guard);
    return given_up;
}

int64_t hkti_process_pool_start_workers(struct hkti_process_pool *pool, int64_t now, bool stalled)
{
    for (;;) {
        size_t ready = hkti_board_ready(pool->board);
        bool enough = hkti_load_relaxed(&pool->alive) >= pool->executor.max_workers;
        if (ready == 0 || enough || (count_idle(pool) >= ready && !stalled) || is_given_up(pool))
            return 0;
        if (pool->start_at > now)
            return pool->start_at;
        int err = hkti_process_pool_start_worker(pool);
        if (err < 0) {
            char sentence[HKT_SENTENCE_MAX];
            snprintf(sentence, sizeof sentence, "%s", hkt_sentence(err));
            bad_start(pool, now, err, sentence);
        }
        stalled = false;
    }
}

void hkti_process_pool_send_away(struct hkti_process_pool *pool, int64_t now)
{
    struct hkti_board *board = pool->board;
    unsigned places = hkti_load_relaxed(&board->max_place);
    if (hkti_load_relaxed(&board->bells.closing))
        return;
    hkti_store_seq_cst(&board->bells.closing, 1); /* pairs: seek */
    for (unsigned i = 0; i < places; i++) {
        if (pool->places[i].process == NULL)
            continue;
        pool->places[i].leave_by = now + LEAVE_SOON;
        (void)hkti_cas_seq_cst(&board->states[i], HKTI_WORKER_ASLEEP,
                               HKTI_WORKER_SEEKING); /* pairs: seek */
        hkti_os_shared_futex_wake(&board->states[i], 1);
    }
}
