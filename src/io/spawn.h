/* SPDX-License-Identifier: MIT */
/* Subprocesses inside, and what they need of the system: to send a signal by pidfd, to look whether
 * a process has ended, to find who else is in its group. What is named hkti_process does not wait,
 * or know of strands. */
#ifndef HKTI_IO_SPAWN_H
#define HKTI_IO_SPAWN_H

#include <hocket/event.h>
#include <hocket/subprocess.h>
#include <sys/types.h>

/* A process of ours: its pidfd stays its own until that is closed. */
struct hkti_process {
    pid_t pid;
    int pidfd;
    bool leads; /* a group, whose number is the pid */
};

/* Has it ended? 1 and how, as of hkt_subprocess_wait, in *code; it is no more then, unless it is to
 * be `kept`. 0: it runs. -ECHILD: somebody else has waited for it. */
int hkti_process_look(const struct hkti_process *process, bool kept, int *code);

/* Sends a signal to it alone, or to it and its group, as long as it has not been waited for: 0,
 * -ESRCH, -EINVAL, -EPERM. */
int hkti_process_signal(const struct hkti_process *process, int signo);

/* A pidfd of somebody in its group who has not ended, the leader left out; -ESRCH: none can be
 * found. */
int hkti_process_member(const struct hkti_process *process);

/* subprocess.c says who may touch what. */
struct hkt_subprocess {
    struct hkti_process process;
    uint32_t guard;
    uint32_t holders;
    bool gone;
    int result; /* of waits, once it is gone: 0, -ECHILD */
    int code;
    hkt_event over;
    uint32_t communicated;
    double patience;
    size_t limit;
    hkt_stream *streams[3];
};

/* Its streams are closed, and the memory is given back; it is no more, or was never started. */
void hkti_subprocess_give_back(hkt_subprocess *child);

#endif
