/* SPDX-License-Identifier: MIT */
/* Subprocesses: other programs, their pipes, and their ends.
 *
 *     char *argv[] = { "sort", "-n", NULL };
 *     hkt_subprocess_result sorted = { 0 };
 *     int err = hkt_subprocess_run(argv, "3\n1\n2\n", 6, &sorted, NULL);
 *     if (err == 0)
 *         fputs(sorted.output, stdout);
 *     hkt_subprocess_result_free(&sorted);
 *
 * Children are watched by pidfd, each alone: children of others are never touched, and SIGCHLD
 * is not used. Calls that wait are cancellation points. (asyncio.subprocess, subprocess) */
#ifndef HOCKET_SUBPROCESS_H
#define HOCKET_SUBPROCESS_H

#include <hocket/stream.h>

HKT_BEGIN_DECLS

/* What the child's standard streams are. */
typedef enum hkt_redirect {
    HKT_REDIRECT_INHERIT = 0, /* ours */
    HKT_REDIRECT_PIPE = 1,    /* a stream of ours: hkt_subprocess_input, output, error */
    HKT_REDIRECT_NULL = 2,    /* /dev/null */
    HKT_REDIRECT_FD = 3,      /* the fd beside it, which stays ours */
    HKT_REDIRECT_OUTPUT = 4,  /* of error alone: where output goes */
} hkt_redirect;

typedef struct hkt_subprocess_options {
    hkt_redirect input, output, error;
    int input_fd, output_fd, error_fd; /* of HKT_REDIRECT_FD */
    char *const *environment;          /* NULL: ours */
    const char *directory;             /* to begin in; NULL: ours */
    bool new_group;   /* it leads a group, to which signals and kills go: its children, too */
    bool new_session; /* it leads a session, and a group */
    double patience;  /* seconds between the SIGTERM and the SIGKILL of hkt_subprocess_end; 0: 5 */
    size_t limit;     /* bytes of output that hkt_subprocess_communicate keeps, each; 0: 64 MiB */
    uint64_t reserved[4]; /* zero */
} hkt_subprocess_options;

typedef struct hkt_subprocess hkt_subprocess;
/* Starts a program, which is looked for in our PATH, from `directory` on if that is relative: 0.
 * Errors of the start itself (-ENOENT, -EACCES, -ENOTDIR of the directory, -EAGAIN, -ENOMEM,
 * -EMFILE), with a sentence that names the program; -ENOSYS: the system has no pidfd. All
 * signals have their default action in the child and none is blocked; it has no fds but the
 * three. (create_subprocess_exec) */
HKT_API HKT_MUST_USE int hkt_subprocess_exec(hkt_subprocess **child, char *const argv[],
                                             const hkt_subprocess_options *options);
/* The same of a command line for /bin/sh. (create_subprocess_shell) */
HKT_API HKT_MUST_USE int hkt_subprocess_shell(hkt_subprocess **child, const char *command,
                                              const hkt_subprocess_options *options);

HKT_API int hkt_subprocess_pid(const hkt_subprocess *child);
/* Our ends of its pipes, the subprocess's own; NULL if that is no pipe. To let the child see the
 * end of its input: hkt_stream_close(hkt_subprocess_input(child)). */
HKT_API hkt_stream *hkt_subprocess_input(hkt_subprocess *child);
HKT_API hkt_stream *hkt_subprocess_output(hkt_subprocess *child);
HKT_API hkt_stream *hkt_subprocess_error(hkt_subprocess *child);

/* Waits for its end: 0, and how it was in *code: its exit status, or minus the signal that ended
 * it. -ECANCELED: it runs on. -ECHILD: somebody else has waited for it, and nobody knows. By any
 * number, and again. (Process.wait, returncode) */
HKT_API HKT_MUST_USE int hkt_subprocess_wait(hkt_subprocess *child, int *code);
HKT_API HKT_MUST_USE int hkt_subprocess_wait_until(hkt_subprocess *child, int *code,
                                                   hkt_deadline deadline);

/* What it wrote, each with a zero behind it that does not count. All zero at first. */
typedef struct hkt_subprocess_result {
    char *output, *error; /* NULL if it was no pipe */
    size_t output_size, error_size;
    int code;       /* as of wait */
    bool truncated; /* it wrote more than the limit: the rest was read and dropped */
    uint64_t reserved[2];
} hkt_subprocess_result;
HKT_API void hkt_subprocess_result_free(hkt_subprocess_result *result);

/* Writes `input` to it (NULL: nothing) and closes that pipe, reads both outputs to their ends
 * beside that, and waits for its end: 0. A child that does not want all of its input is no
 * error. -ECANCELED, and other errors: it runs on; what was read until then is in *result, which
 * is not NULL. Once. (Process.communicate) */
HKT_API HKT_MUST_USE int hkt_subprocess_communicate(hkt_subprocess *child, const void *input,
                                                    size_t size, hkt_subprocess_result *result);

/* Sends a signal to it, or its group: 0; -ESRCH: it has ended. Never another process: it goes by
 * pidfd, and to a group only as long as its leader has not been waited for. (send_signal,
 * terminate, kill) */
HKT_API int hkt_subprocess_send_signal(hkt_subprocess *child, int signo);
/* Ends it, and of its group those that are left, when it has ended itself, too: SIGTERM, after
 * the patience SIGKILL, and waits for its end, whatever the caller's scope says: 0 and *code
 * unless that is NULL; -ECHILD. */
HKT_API int hkt_subprocess_end(hkt_subprocess *child, int *code);
/* Gives it back; NULL is fine. If it still runs, or was not waited for, it is killed, with its
 * group, and awaited. */
HKT_API void hkt_subprocess_destroy(hkt_subprocess *child);

/* Starts, communicates, and destroys, in one: output and error go to the result unless the
 * options (NULL: none) send them elsewhere. When the caller's scope ends the child is ended as
 * by hkt_subprocess_end, with its group, and -ECANCELED returned; so hkt_wait_for around it is a
 * timeout for all of it. 0: it ran, and result->code tells how. (subprocess.run) */
HKT_API HKT_MUST_USE int hkt_subprocess_run(char *const argv[], const void *input, size_t size,
                                            hkt_subprocess_result *result,
                                            const hkt_subprocess_options *options);

HKT_END_DECLS

#endif
