/* SPDX-License-Identifier: MIT */
/* Signals as callbacks of a loop. */
#ifndef HKTI_LOOP_SIGNAL_H
#define HKTI_LOOP_SIGNAL_H

#include "loop/loop.h"

/* hkt_loop_add_signal_handler; `once`: the second signal has its default action. */
int hkti_signal_add(hkt_loop *loop, int signo, hkt_job *callback, void *arg, bool once);
bool hkti_signal_remove(hkt_loop *loop, int signo);

/* Those that came, whose bits are set, are made ready to be called. */
void hkti_signals_take(hkt_loop *loop);

#endif
