/* SPDX-License-Identifier: MIT */
/* How processes are started, and seen to end: what the files of that share.
 *
 *   entry.c        the start object's call; how a process of ours begins that is the program anew
 *   program.c      the program's file, and execs of it
 *   run.c          in the child: its function, and its end
 *   server.c       in the owner: fork servers, made and asked
 *   server_loop.c  in the server: requests and ends
 *   server_child.c in the server: starts
 *   fork.c         copies of the caller
 *   supervisor.c   in the owner: one thread that sees servers and copies end
 *   records.c      where the records are
 *   process.c, process_start.c, process_end.c    the handles
 *   exit.c         the end of this process
 *
 * Who may touch what: a handle's fields until its start by its creator; node, listed, sentinel,
 * reaped under hkti_children_guard; refs and state atomically. */
#ifndef HKTI_PROC_START_H
#define HKTI_PROC_START_H

#include <hocket/event.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/types.h>

#include "park/guard.h"
#include "proc/process.h"

/* A fork server, as its owner has it. gone, users, quitting and the list under hkti_children_guard. */
struct hkti_server {
    struct hkti_node node; /* of all that are watched, until it is gone */
    pid_t pid;
    int control;    /* the socket; closed when it is gone and nobody sends */
    uint32_t token; /* its own */
    uint32_t refs;
    uint32_t users; /* who send at the moment */
    uint32_t gone;
    bool quitting; /* it was asked to end, and is asked for nothing more */
    hkt_event ended;
};

enum { HKTI_PROCESS_NEW, HKTI_PROCESS_STARTING, HKTI_PROCESS_STARTED };

struct hkt_process {
    struct hkti_node node; /* of hkti_children, while it is listed */
    struct hkti_process_record *record;
    struct hkti_server *server; /* that starts it; NULL: a copy by fork */
    hkt_job *function;
    void (*ended)(void *arg);
    void *arg;
    uint32_t refs; /* the handle's, the list's, that of who waits at exit */
    uint32_t state;
    int pidfd;       /* of a copy by fork; -1: there are none */
    int sentinel;    /* its end that is read; -1: nobody has asked */
    int told;        /* the other one, of a copy by fork; -1 */
    int leash;       /* of a copy by fork: closed by our death, it ends it; -1 */
    uint64_t serial; /* of its start */
    bool reaped;     /* a copy by fork that has been waited for */
    bool listed;
    bool orphan; /* its server has ended without having told of its end */
    bool daemon, with_threads;
    hkt_start_method method;
};

/* What a server is asked. With HKTI_ASK_START come the passed fds, with HKTI_ASK_SENTINEL an fd that
 * is closed when the process has ended. */
enum hkti_ask { HKTI_ASK_START = 1, HKTI_ASK_SIGNAL, HKTI_ASK_SENTINEL, HKTI_ASK_QUIT };
struct hkti_request {
    uint32_t ask;
    int32_t signo;
    struct hkti_process_record *record;
};
#define HKTI_PASSED_MAX 250 /* fds in a message; the system's limit is 253 */

/* The numbers of the passed fds in the child. */
static inline int *hkti_record_fds(struct hkti_process_record *record)
{
    return (int *)(void *)(record->argument + ((record->size + 15) & ~(uint64_t)15));
}

/* The children that have been started and not been seen to end, in the order of their starts. */
extern uint32_t hkti_children_guard;
extern struct hkti_node hkti_children;

/* process.c */
void hkti_process_unref(struct hkt_process *process);
/* Is it over? Then it leaves the list, unless the supervisor has to tell somebody. */
bool hkti_process_over(struct hkt_process *process);
/* All that are over leave the list. */
void hkti_processes_sweep(void);
/* Sleeps until *word, of the record's, is set: 0, -ETIMEDOUT, -ECANCELED. */
int hkti_record_await(struct hkti_process_record *record, uint32_t *word, const char *what,
                      const void *object, int64_t deadline, bool cancellable);
/* It has ended: by who has waited for it; then it may be gone. `error`: of a start that nobody has
 * answered. */
void hkti_record_end(struct hkti_process_record *record, int status, int error);
/* It has been started, or could not be: an error with a sentence of the caller's strand. `refuse`: there
 * is no process, whose end would be told as that of others; then the record may be gone. */
void hkti_record_answer(struct hkti_process_record *record, int error);
void hkti_record_refuse(struct hkti_process_record *record, int error);
/* Waits, some instructions, until the record is not touched any more by others. */
void hkti_record_settle(struct hkti_process_record *record, struct hkti_server *server);

/* records.c: a record whose token is known is entered; taken out before it gets another token; leave
 * gives it back; sweep those of a dead parent, 0: of all dead ones. */
void hkti_records_enter(struct hkti_process_record *record);
void hkti_records_take_out(struct hkti_process_record *record);
void hkti_records_leave(struct hkti_process_record *record);
void hkti_records_sweep(uint32_t parent);

/* process_start.c: every start begins with a clean record, a slot in the family, the function's name:
 * 0, or an error with a sentence. Then it is listed. */
int hkti_process_prepare(struct hkt_process *process);
void hkti_process_list(struct hkt_process *process);

/* entry.c */
extern uint32_t hkti_start_linked; /* 1: the start object is there */
void hkti_start_here(int argc, char **argv, char **envp) __attribute__((visibility("default")));
#define HKTI_START_VARIABLE "HOCKET_START"

/* program.c: starts the program anew with `start` as the variable's value; 0, a negative errno. */
int hkti_program_spawn(pid_t *pid, const char *start, posix_spawn_file_actions_t *actions,
                       bool hold_interrupts);
/* All fds are closed but 0, 1, 2 and these (sorted in place). */
void hkti_close_others(int *kept, size_t count);

/* run.c: in a process of ours, which this record is of. Enter: who it is; run: never returns. */
void hkti_run_enter(struct hkti_process_record *record);
enum hkti_run_end { HKTI_RUN_QUICK, HKTI_RUN_EXIT };
_Noreturn void hkti_run(struct hkti_process_record *record, enum hkti_run_end end);
hkt_process *hkti_run_current(void);
hkt_process *hkti_run_parent(void);
bool hkti_run_is_root(void); /* hocket did not start it */
void hkti_run_forget(void);  /* in the child of a raw fork */

/* server.c */
/* The process's own server, made if there is none: with a reference. 0, errors of
 * hkt_process_start. */
int hkti_server_get(struct hkti_server **server);
void hkti_server_unref(struct hkti_server *server);
/* 0; -EPIPE: it is gone; -EMFILE. */
int hkti_server_ask(struct hkti_server *server, enum hkti_ask ask,
                    struct hkti_process_record *record, int signo, const int *fds, size_t count);
/* Of one that is dead, or about to be: until the supervisor has seen it, and another can be had. */
void hkti_server_await(struct hkti_server *server);
/* The process's own server is asked to end, and waited for. */
void hkti_servers_end(void);
/* All that are watched. */
extern struct hkti_node hkti_servers;
/* Under the guard: nobody will send any more; its socket is closed when the last one has. */
void hkti_server_close(struct hkti_server *server);
/* In the child of a raw fork. */
void hkti_servers_forget(void);

/* server_loop.c: what the server knows. */
struct hkti_serving {
    pid_t owner;
    uint32_t owner_token, token;
    int control, wake; /* an eventfd of the owner's supervisor */
    bool copy;         /* made by fork: children keep all fds */
    pid_t self;
};
_Noreturn void hkti_serve(const struct hkti_serving *serving);

/* server_child.c: starts one; the passed fds are closed. Its number, 0: it could not be started, as
 * has been answered. */
pid_t hkti_serve_start(const struct hkti_serving *serving, struct hkti_process_record *record,
                       int *fds, size_t count);

/* fork.c */
/* May this process be copied? 0, or -EBUSY with a sentence. */
int hkti_fork_allowed(bool with_threads);
/* 0 in both, with *pid 0 in the child, where all of the parent's has been forgotten. */
int hkti_fork(pid_t *pid, bool with_threads);
int hkti_fork_start(struct hkt_process *process);

/* supervisor.c */
/* It runs, or it does now: 0, -EAGAIN, -EMFILE... with a sentence. */
int hkti_supervisor_start(void);
void hkti_supervisor_wake(void);
int hkti_supervisor_fd(void);
void hkti_supervisor_stop(void);
void hkti_supervisor_forget(void);
bool hkti_supervisor_is(int native_id);

/* exit.c */
void hkti_proc_watch(void); /* at the first start: exit waits for children, too */
void hkti_proc_leave(void); /* all that is to be done before _exit */

#endif
