/* SPDX-License-Identifier: MIT */
/* Waiting for fds in a loop: a table by fd of who waits for it, and the system's poller.
 *
 * An fd of anybody is told to the system for what the watches in its entry want (`armed`), once;
 * after an event it is told again for those that are left. A watch that is taken back leaves the
 * system as it is: an event that nobody wants any more costs a look, and is not told again.
 *
 * A fd with a serial is told to the system once and for all, for each event; what nobody waits
 * for is kept in `news`, so its next wait may end at once. When somebody waits for it without
 * the serial, it becomes an fd of anybody, and the next wait with the serial tells the system
 * again, which then says what there is.
 *
 * The generation is in the token, so an event of an fd that was closed meanwhile is not taken
 * for one of the next fd of that number.
 *
 * The base sleeps here in state ASLEEP_POLL, its eventfd being in the set; who wakes it says
 * WAKING first, as in park/sleeper.c; but for signal handlers, which only write to it
 * (signal.c). */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "loop/poller.h"

struct entry {
    struct hkti_node watches;
    unsigned armed;
    uint32_t generation;
    uint64_t serial; /* 0: of anybody */
    unsigned news;   /* with a serial: events that came and nobody has had */
};

/* Events that end a wait for reading, for writing. */
#define ENDS (POLLERR | POLLHUP)
#define FOR_READERS (POLLIN | POLLPRI | POLLRDHUP | ENDS)
#define FOR_WRITERS (POLLOUT | ENDS)

/* Tokens that are no fd's. */
#define WAKE UINT64_MAX
#define MOST 64

static uint64_t token_of(int fd, const struct entry *entry)
{
    return (uint64_t)entry->generation << 32 | (uint32_t)fd;
}

/* Its own eventfd is in the set, told as long as it is readable. */
static int add_wake_fd(struct hkti_poller *poller, struct hkti_strand *strand)
{
    int fd = strand->wake_fd ? strand->wake_fd - 1 : hkti_os_wake_fd_open();
    if (fd < 0)
        return fd;
    strand->wake_fd = fd + 1;
    return hkti_os_poller_watch(poller->fd, fd, POLLIN, WAKE, HKTI_OS_ALWAYS);
}

int hkti_poller_open(hkt_loop *loop)
{
    if (loop->poller)
        return 0;
    struct hkti_poller *poller = hkti_allocate(sizeof *poller);
    if (poller == NULL)
        return -ENOMEM;
    poller->timer_fd = -1;
    poller->fd = hkti_os_poller_open();
    int err = poller->fd < 0 ? poller->fd : add_wake_fd(poller, loop->carrier.base);
    if (err < 0) {
        if (poller->fd >= 0)
            hkti_os_close(poller->fd);
        hkti_release(poller, sizeof *poller);
        return err;
    }
    loop->poller = poller;
    return 0;
}

void hkti_poller_close(hkt_loop *loop)
{
    struct hkti_poller *poller = loop->poller;
    if (poller == NULL)
        return;
    loop->poller = NULL;
    hkti_os_close(poller->fd);
    if (poller->timer_fd >= 0)
        hkti_os_close(poller->timer_fd);
    hkti_release(poller->entries, poller->room * sizeof *poller->entries);
    hkti_release(poller, sizeof *poller);
}

/* The lists are circular and their heads move with the table. */
static void move(struct entry *to, struct entry *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        if (hkti_list_empty(&from[i].watches)) {
            to[i].watches = (struct hkti_node){ NULL, NULL };
        } else {
            to[i].watches.next->prev = &to[i].watches;
            to[i].watches.prev->next = &to[i].watches;
        }
    }
}

static struct entry *entry_of(struct hkti_poller *poller, int fd)
{
    size_t place = (size_t)fd;
    if (place >= poller->room) {
        size_t room = poller->room ? poller->room : 16;
        while (room <= place)
            room *= 2;
        struct entry *more = hkti_allocate(room * sizeof *more);
        if (more == NULL)
            return NULL;
        move(more, poller->entries, poller->room);
        hkti_release(poller->entries, poller->room * sizeof *more);
        poller->entries = more;
        poller->room = room;
    }
    return &poller->entries[place];
}

/* Tells the system what the watches want, unless it knows. */
static int arm(struct hkti_poller *poller, int fd, struct entry *entry)
{
    unsigned events = 0;
    struct hkti_node *head = &entry->watches;
    for (struct hkti_node *node = head->next; node && node != head; node = node->next)
        events |= (unsigned short)HKTI_CONTAINER(node, struct hkti_fd_watch, node)
                      ->interest->events;
    if (events == 0 || (events | entry->armed) == entry->armed)
        return 0;
    entry->generation++;
    int err = hkti_os_poller_watch(poller->fd, fd, events, token_of(fd, entry), HKTI_OS_ONCE);
    entry->armed = err < 0 ? 0 : events;
    return err;
}

/* Tells the system of an fd with a serial. */
static int arm_for_all(struct hkti_poller *poller, int fd, struct entry *entry, uint64_t serial)
{
    entry->generation++;
    entry->armed = entry->news = 0;
    entry->serial = 0;
    int err = hkti_os_poller_watch(poller->fd, fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP,
                                   token_of(fd, entry), HKTI_OS_EACH);
    if (err == 0)
        entry->serial = serial;
    return err;
}

/* News that a watch waits for are its own: 1; 0: there are none. */
static int take_news(struct entry *entry, struct hkti_fd_interest *interest)
{
    unsigned wanted = (interest->events & POLLIN ? FOR_READERS : 0) |
                      (interest->events & POLLOUT ? FOR_WRITERS : 0);
    unsigned came = entry->news & wanted;
    entry->news &= ~(unsigned)((interest->events & (POLLIN | POLLOUT)) |
                               (interest->events & POLLIN ? POLLPRI : 0) |
                               POLLERR); /* an end stays */
    interest->revents = (short)came;
    return came != 0;
}

int hkti_poller_watch(struct hkti_carrier *carrier, struct hkti_fd_watch *watch)
{
    hkt_loop *loop = (hkt_loop *)carrier;
    struct hkti_fd_interest *interest = watch->interest;
    int fd = interest->fd;
    int err = hkti_poller_open(loop);
    if (err < 0)
        return err;
    struct entry *entry = entry_of(loop->poller, fd);
    if (entry == NULL)
        return -ENOMEM;
    interest->revents = 0;
    if (interest->serial && interest->serial == entry->serial && take_news(entry, interest))
        return 1;
    if (interest->serial == 0 && (entry->serial || hkti_list_empty(&entry->watches)))
        entry->armed = 0; /* what was armed for others may have been closed since */
    hkti_list_append(&entry->watches, &watch->node);
    if (interest->serial == 0) {
        entry->serial = 0;
        err = arm(loop->poller, fd, entry);
    } else if (interest->serial != entry->serial) {
        err = arm_for_all(loop->poller, fd, entry, interest->serial);
    }
    if (err < 0) {
        hkti_list_remove(&watch->node);
        (void)arm(loop->poller, fd, entry); /* for the others, as before */
    }
    return err;
}

void hkti_poller_unwatch(struct hkti_carrier *carrier, struct hkti_fd_watch *watch)
{
    (void)carrier;
    if (watch->node.next)
        hkti_list_remove(&watch->node);
}

static void happened(hkt_loop *loop, const struct hkti_os_event *event)
{
    int fd = (int)(uint32_t)event->token;
    struct entry *entry = &loop->poller->entries[fd];
    if (event->token != token_of(fd, entry))
        return;
    struct hkti_node *head = &entry->watches, *node = head->next;
    entry->armed = 0;
    entry->news = event->events | (entry->serial ? entry->news : 0);
    unsigned taken = 0;
    while (node && node != head) {
        struct hkti_fd_watch *watch = HKTI_CONTAINER(node, struct hkti_fd_watch, node);
        node = node->next;
        unsigned before = entry->news;
        if (!take_news(entry, watch->interest))
            continue;
        taken |= before & ~entry->news;
        entry->news = before; /* it is for the others, too */
        hkti_list_remove(&watch->node);
        hkti_carrier_awaken(&loop->carrier, watch->coroutine);
    }
    entry->news &= ~taken;
    if (entry->serial == 0)
        (void)arm(loop->poller, fd, entry); /* it was possible before */
}

/* What the events lead to lies in as many places as there are who wait, on their stacks: it
 * comes into the cache for all at the same time. */
static void fetch(const struct hkti_poller *poller, const struct hkti_os_event *events, int count)
{
    const struct hkti_fd_watch *watches[MOST];
    int n = 0;
    for (int i = 0; i < count; i++)
        if (events[i].token != WAKE)
            __builtin_prefetch(&poller->entries[(int)(uint32_t)events[i].token]);
    for (int i = 0; i < count; i++) {
        if (events[i].token == WAKE)
            continue;
        const struct entry *entry = &poller->entries[(int)(uint32_t)events[i].token];
        if (hkti_list_empty(&entry->watches))
            continue;
        watches[n] = HKTI_CONTAINER(entry->watches.next, struct hkti_fd_watch, node);
        __builtin_prefetch(watches[n++], 1);
    }
    for (int i = 0; i < n; i++) {
        __builtin_prefetch(watches[i]->interest, 1);
        __builtin_prefetch((void *)&watches[i]->coroutine->strand.word, 1);
        __builtin_prefetch(&watches[i]->coroutine->ready, 1);
    }
}

/* Waits at the longest until the deadline; what happened is told. How many events; *woken: it was
 * written to the eventfd, which is empty again. */
static int look(hkt_loop *loop, int wake_fd, int64_t deadline, bool *woken)
{
    struct hkti_os_event events[MOST];
    int count = hkti_os_poller_wait(loop->poller->fd, wake_fd, events, MOST, deadline);
    int told = 0;
    *woken = false;
    if (count > 1)
        fetch(loop->poller, events, count);
    for (int i = 0; i < count; i++) {
        if (events[i].token == WAKE) {
            *woken = true;
            continue;
        }
        happened(loop, &events[i]);
        told++;
    }
    return told;
}

void hkti_poller_look(hkt_loop *loop)
{
    bool woken;
    look(loop, -1, HKTI_PASSED, &woken);
}

/* It is over with the sleep in state ASLEEP_POLL, or with the pretence of it. `woken`: the
 * eventfd has been written to; it is so too if somebody changed the word. */
static void wake_up(struct hkti_strand *strand, bool woken)
{
    if (!hkti_cas_acq_rel(&strand->word, HKTI_ASLEEP_POLL, HKTI_ARMED)) { /* pairs: waking */
        unsigned turns = 0;
        while (hkti_load_acquire(&strand->word) == HKTI_WAKING) /* pairs: waking */
            hkti_os_yield(turns++);
        woken = true;
    }
    if (woken)
        hkti_os_wake_fd_clear(strand->wake_fd - 1);
}

static int sleep_in_poller(struct hkti_strand *self, struct hkti_wait *wait, int64_t deadline)
{
    hkt_loop *loop = (hkt_loop *)(uintptr_t)wait->object;
    if (!hkti_cas_acq_rel(&self->word, HKTI_ARMED, HKTI_ASLEEP_POLL)) /* pairs: waking */
        return 0;
    bool woken;
    int told = look(loop, self->wake_fd - 1, deadline, &woken);
    wake_up(self, woken);
    return told > 0;
}

const struct hkti_sleeper hkti_sleeper_poller = { .sleep = sleep_in_poller };

/* Outside: the loop is driven by a foreign one. */

int hkti_outside_open(hkt_loop *loop)
{
    int err = hkti_poller_open(loop);
    if (err < 0)
        return err;
    struct hkti_poller *poller = loop->poller;
    if (poller->timer_fd < 0) {
        poller->timer_fd = hkti_os_timer_fd_open();
        if (poller->timer_fd < 0)
            return poller->timer_fd;
        err = hkti_os_poller_watch(poller->fd, poller->timer_fd, POLLIN, WAKE, HKTI_OS_ALWAYS);
    }
    if (err == 0)
        err = add_wake_fd(poller, &loop->outside);
    return err < 0 ? err : poller->fd;
}

void hkti_outside_alarm(hkt_loop *loop)
{
    struct hkti_poller *poller = loop->poller;
    int64_t alarm = hkti_carrier_alarm(&loop->carrier);
    if (alarm != poller->timer_at)
        hkti_os_timer_fd_set(poller->timer_fd, alarm);
    poller->timer_at = alarm;
}

void hkti_outside_enter(hkt_loop *loop)
{
    struct hkti_carrier *carrier = &loop->carrier;
    hkti_outside_alarm(loop);
    hkti_exchange_seq_cst(&loop->outside.word, HKTI_ASLEEP_POLL); /* pairs: nudge */
    hkti_store_seq_cst(&carrier->doorbell, &loop->outside);       /* pairs: ready */
    if (carrier->ready || hkti_carrier_has_news(carrier) ||
        hkti_load_seq_cst(&loop->signals)) /* pairs: nudge */
        hkti_nudge(&loop->outside);
}

void hkti_outside_leave(hkt_loop *loop)
{
    wake_up(&loop->outside, true);
    hkti_store_relaxed(&loop->outside.word, HKTI_RUNNING);
}
