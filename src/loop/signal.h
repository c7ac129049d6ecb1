/* SPDX-License-Identifier: MIT */
/* Signals as callbacks of a loop, and the table of those that have a handler of hocket's. */
#ifndef HKTI_LOOP_SIGNAL_H
#define HKTI_LOOP_SIGNAL_H

#include "loop/loop.h"

/* hkt_loop_add_signal_handler; `once`, of the runner: the second signal has its default action,
 * and another handler, set by the loop's own thread, takes its place. */
int hkti_signal_add(hkt_loop *loop, int signo, hkt_job *callback, void *arg, bool once);
bool hkti_signal_remove(hkt_loop *loop, int signo);
/* The same of the runner's, if it still has it. */
bool hkti_signal_remove_once(hkt_loop *loop, int signo);

/* Takes a signal for a handler of one's own, so that no loop, and nobody else who asks here,
 * sets another one: false if it is taken. To give it back. For numbers from 1 to 64. */
bool hkti_signal_claim(int signo);
void hkti_signal_disclaim(int signo);

/* Those that came, whose bits are set, are made ready to be called. */
void hkti_signals_take(hkt_loop *loop);

#endif
