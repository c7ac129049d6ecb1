/* SPDX-License-Identifier: MIT */
/* Servers that are measured from outside: each a process of its own, on one CPU, while the calling
 * thread, on another one, is its clients. What it costs is read from the system, the same way for
 * all of them. By the main thread. */
#ifndef BENCH_COMMON_SERVER_H
#define BENCH_COMMON_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct bench_server {
    pid_t pid;
    int port;
    int input; /* the end of a pipe that is its standard input: it ends when that is closed */
};

/* Starts a program. arguments[0] is "self" (this program), "hocket" or "rivals/NAME" (beside
 * this program), or a command that is looked for in PATH. Its standard error is dropped unless
 * it is `self` or a rival.
 *
 * With port 0 the server must print its port as its first line; else it is told the port by
 * its arguments, and is there when it can be connected to. False, with one note on standard
 * error for each name, if there is no such program, or a rival has a part missing and has
 * ended at once with status 3. */
bool bench_server_start(struct bench_server *server, int port, const char *const arguments[]);
void bench_server_stop(struct bench_server *server);

/* Nanoseconds of CPU time that it has used so far. */
double bench_server_cpu(const struct bench_server *server);
/* Bytes of memory, by a name in /proc/PID/status: "VmRSS", "VmPTE". */
double bench_server_memory(const struct bench_server *server, const char *what);

/* A port of the loopback that is free just now. */
int bench_free_port(void);
/* A blocking connection to the loopback, with TCP_NODELAY; -1 if nobody listens. */
int bench_connect(int port);

/* Servers get the first CPU that this process may use, the calling thread the second one, if there
 * are two. bench_apart once before the first server; bench_together puts the thread back. */
void bench_apart(void);
void bench_together(void);
bool bench_is_apart(void);

/* As many fds as the system allows: how many. */
long bench_raise_files(void);

/* Says once that a system is not measured, and why. */
void bench_left_out(const char *name, const char *why);

#endif
