/* SPDX-License-Identifier: MIT */
/* Streaming maps: items come from a producer, are worked on by jobs, and go to a consumer, never
 * more than a few at a time on the way; for inputs that are large, slow, or without end.
 *
 *     static int next_url(void *context, void *item);        a line of a file
 *     static int fetch(void *item);                          the job
 *     static int save(void *context, void *item, int code);
 *
 *     int err = hkt_imap(pool, fetch, sizeof(struct page), &(hkt_imap_options){
 *                        .produce = next_url, .consume = save, .context = &list });
 *
 * Both callbacks are called by the caller of hkt_imap, one at a time. */
#ifndef HOCKET_IMAP_H
#define HOCKET_IMAP_H

#include <hocket/executor.h>

HKT_BEGIN_DECLS

typedef struct hkt_imap_options {
    /* Fills in the next item, which is zero: 1; 0 at the end; a negative errno ends the stream with
     * that error, at its place: what was produced before is still worked on and consumed. */
    int (*produce)(void *context, void *item);
    /* Gets an item that has been worked on, and what its job returned, of a failure with the
     * sentence. 0; anything else abandons the stream: the jobs on their way are cancelled and
     * awaited, and that is what hkt_imap returns. What the item owns is yours, whatever you
     * return. NULL: the first failure of a job abandons the stream. */
    int (*consume)(void *context, void *item, int code);
    /* Gets each item that was produced and does not go to `consume`, when nobody uses it any
     * more: to free what it owns. NULL: not wanted. */
    void (*drop)(void *context, void *item);
    void *context;
    size_t in_flight; /* items between produce and consume at the most; 0: twice the workers + 2 */
    uint64_t reserved[3]; /* zero */
} hkt_imap_options;

/* Consumes in the order of production: 0 when all have been; else what ended it. Errors of
 * hkt_submit; -ECANCELED, when the caller's scope ends, after the jobs on their way were cancelled
 * and awaited; -EINVAL without `produce`. A cancellation point. (Pool.imap; Executor.map with
 * buffersize) */
HKT_API HKT_MUST_USE int hkt_imap(hkt_executor *executor, hkt_job *job, size_t item_size,
                                  const hkt_imap_options *options);

/* The same; consumes in the order in which the jobs end. (Pool.imap_unordered) */
HKT_API HKT_MUST_USE int hkt_imap_unordered(hkt_executor *executor, hkt_job *job, size_t item_size,
                                            const hkt_imap_options *options);

HKT_END_DECLS
#endif
