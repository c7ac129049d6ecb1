/* SPDX-License-Identifier: MIT */
/* A strand whose stack is not enough ends the program by a fault in the guard page; here it is said
 * before, in one sentence, which strand it was. In the simulated build, and under AddressSanitizer
 * and ThreadSanitizer, which look at faults themselves, nothing of it happens.
 *
 * The handlers of SIGSEGV and SIGBUS that the program had get every other fault, and in the end this
 * one too. One that it installs later takes the place of ours. */
#ifndef HKTI_STRAND_OVERFLOW_H
#define HKTI_STRAND_OVERFLOW_H

/* The name of the calling strand, NULL if it has none: called in a signal handler. NULL: names are
 * not known. Set before hkti_overflow_watch. */
extern const char *(*hkti_overflow_name)(void);

/* From now on. Again and again is as good as once. */
void hkti_overflow_watch(void);

/* The calling thread may report: a handler needs a stack of its own for it. 0, also if there is one
 * already, or -ENOMEM. And the end of it, before the thread ends. */
int hkti_overflow_thread(void);
void hkti_overflow_thread_end(void);

#endif
