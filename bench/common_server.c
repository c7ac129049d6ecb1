/* SPDX-License-Identifier: MIT */
/* Servers in processes of their own. By the main thread. */
#include "common_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { NOT_THERE = 3, NOTES = 16, PATIENCE_MS = 5000 };

static cpu_set_t all_cpus, server_cpus, client_cpus;

void bench_left_out(const char *name, const char *why)
{
    static char said[NOTES][64];
    int i = 0;

    while (i < NOTES - 1 && said[i][0] && strcmp(said[i], name) != 0)
        i++;
    if (said[i][0])
        return;
    snprintf(said[i], sizeof said[i], "%s", name);
    fprintf(stderr, "%s is left out: %s\n", name, why);
}

void bench_apart(void)
{
    int cpu = 0;

    if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0)
        bench_fail("sched_getaffinity");
    while (!CPU_ISSET(cpu, &all_cpus))
        cpu++;
    CPU_ZERO(&server_cpus);
    CPU_SET(cpu, &server_cpus);
    client_cpus = server_cpus;
    if (CPU_COUNT(&all_cpus) > 1) {
        do
            cpu++;
        while (!CPU_ISSET(cpu, &all_cpus));
        CPU_ZERO(&client_cpus);
        CPU_SET(cpu, &client_cpus);
    }
    sched_setaffinity(0, sizeof client_cpus, &client_cpus);
}

void bench_together(void)
{
    sched_setaffinity(0, sizeof all_cpus, &all_cpus);
}

bool bench_is_apart(void)
{
    return !CPU_EQUAL(&server_cpus, &client_cpus);
}

long bench_raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        bench_fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        bench_fail("setrlimit");
    return (long)limit.rlim_cur;
}

/* Where a program beside this one is; "" if it is not to be found. Commands stay as they are. */
static void find_program(char path[PATH_MAX + 64], const char *name)
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length < 0)
        bench_fail("readlink: /proc/self/exe");
    path[length] = '\0';
    if (strncmp(name, "rivals/", 7) == 0 || strcmp(name, "hocket") == 0)
        snprintf(strrchr(path, '/') + 1, 64, "%s", name);
    else if (strcmp(name, "self") != 0)
        snprintf(path, PATH_MAX, "%s", name);
    if (strchr(path, '/') && access(path, X_OK) < 0)
        path[0] = '\0';
}

/* In the child. All of its output goes to the pipe, or to nowhere. */
static _Noreturn void become(const char *path, const char *const arguments[], int in, int out)
{
    char *values[32];
    int n = 0;

    /* It does not outlive us, however we end. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sched_setaffinity(0, sizeof server_cpus, &server_cpus);
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(in, STDIN_FILENO);
    dup2(out < 0 ? nowhere : out, STDOUT_FILENO);
    if (strcmp(arguments[0], "self") != 0 && strncmp(arguments[0], "rivals/", 7) != 0)
        dup2(nowhere, STDERR_FILENO);
    for (; arguments[n] && n < 31; n++)
        values[n] = (char *)(uintptr_t)arguments[n];
    values[n] = NULL;
    execvp(path, values);
    _exit(NOT_THERE);
}

/* Has it ended by itself already? Then it is a program that is not there. */
static bool has_ended(struct bench_server *server, const char *name)
{
    int status;

    if (waitpid(server->pid, &status, WNOHANG) != server->pid)
        return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != NOT_THERE)
        bench_fail("%s: the server ended by itself", name);
    server->pid = -1;
    close(server->input);
    bench_left_out(name, "it is not on this machine");
    return true;
}

/* Until it can be connected to. */
static bool await_port(struct bench_server *server, const char *name)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        int fd = bench_connect(server->port);

        if (fd >= 0) {
            close(fd);
            return true;
        }
        if (has_ended(server, name))
            return false;
        bench_pause(0.001);
    }
    bench_fail("%s: nobody listens", name);
}

/* Its first line. */
static bool read_port(struct bench_server *server, const char *name, int fd)
{
    FILE *output = fdopen(fd, "r");
    int count = fscanf(output, "%d", &server->port);

    fclose(output);
    while (count != 1) {
        if (has_ended(server, name))
            return false;
        bench_pause(0.001);
    }
    return true;
}

bool bench_server_start(struct bench_server *server, int port, const char *const arguments[])
{
    char path[PATH_MAX + 64];
    int in[2], out[2] = { -1, -1 };

    find_program(path, arguments[0]);
    if (!path[0]) {
        bench_left_out(arguments[0], "it is not on this machine");
        return false;
    }
    if (pipe2(in, O_CLOEXEC) < 0 || (!port && pipe2(out, O_CLOEXEC) < 0))
        bench_fail("pipe2");
    *server = (struct bench_server){ .port = port, .input = in[1] };
    server->pid = fork();
    if (server->pid < 0)
        bench_fail("fork");
    if (server->pid == 0)
        become(path, arguments, in[0], out[1]);
    close(in[0]);
    if (port)
        return await_port(server, arguments[0]);
    close(out[1]);
    return read_port(server, arguments[0], out[0]);
}

void bench_server_stop(struct bench_server *server)
{
    close(server->input);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

double bench_server_cpu(const struct bench_server *server)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(server->pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        bench_fail("the server has ended");
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

double bench_server_memory(const struct bench_server *server, const char *what)
{
    char path[64], line[256];
    size_t length = strlen(what);
    long kilobytes = -1;

    snprintf(path, sizeof path, "/proc/%d/status", server->pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, what, length) == 0 && line[length] == ':')
            kilobytes = atol(line + length + 1);
    if (kilobytes < 0)
        bench_fail("%s: no %s", path, what);
    fclose(file);
    return (double)kilobytes * 1024;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

int bench_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        bench_fail("bind: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

int bench_connect(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        bench_fail("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}
