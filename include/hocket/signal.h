/* SPDX-License-Identifier: MIT */
/* Signals as something to wait for, by tasks and threads.
 *
 *     hkt_signals *signals;
 *     int err = hkt_signals_create(&signals, 2, (const int[]){ SIGINT, SIGTERM });
 *     if (err == 0)
 *         err = hkt_signals_wait(signals);          SIGINT or SIGTERM
 *     hkt_signals_destroy(signals);
 *
 * From create to destroy these signals do nothing else than to be told here. A handler of
 * hocket's takes them, which only takes a note; what you do about them is ordinary code.
 * (signal.sigwait, loop.add_signal_handler) */
#ifndef HOCKET_SIGNAL_H
#define HOCKET_SIGNAL_H

#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_signals hkt_signals;
/* 0; -EALREADY: one of them has a handler of a loop (but for Ctrl-C of hkt_run, which gives
 * way), or is waited for by another such object; -EINVAL: SIGKILL, SIGSTOP, or no signal;
 * -EMFILE, -ENOMEM. From any thread. */
HKT_API HKT_MUST_USE int hkt_signals_create(hkt_signals **signals, int count, const int signos[]);
/* Waits until one of them has come: its number. Those of one kind that came since the last time
 * are told once; of several kinds the lowest number first. By any number of callers: each is
 * told to one. -ECANCELED. A cancellation point. */
HKT_API HKT_MUST_USE int hkt_signals_wait(hkt_signals *signals);
HKT_API HKT_MUST_USE int hkt_signals_wait_until(hkt_signals *signals, hkt_deadline deadline);
/* -EAGAIN: none has come. */
HKT_API HKT_MUST_USE int hkt_signals_wait_nowait(hkt_signals *signals);
/* The signals have again the action that they had before. NULL is fine; when nobody waits. */
HKT_API void hkt_signals_destroy(hkt_signals *signals);

HKT_END_DECLS

#endif
