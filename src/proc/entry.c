/* SPDX-License-Identifier: MIT */
/* How a process of ours begins that is the program anew: by a variable in its environment, which the
 * start object has us look at after all constructors and before main. It is taken out at once, so
 * none of its own children has it.
 *
 * "S" is a fork server, "C" a child by spawn; numbers in hexadecimal follow: the one whose control
 * socket is passed (the owner), the parent (of "S" the owner), the fds of arena, control socket and
 * wake eventfd, the tokens of owner and server, and what to do: the preload function's name, or the
 * record. The variable counts only
 * if the control socket was made by the owner, as the system says: it may have been inherited by some
 * other program by mistake. If all is as it should be and the parent is another one, then that has
 * died, and so do we; main does not run. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/report.h"
#include "os/os.h"
#include "proc/arena.h"
#include "proc/start.h"

uint32_t hkti_start_linked;

struct order {
    char kind;
    pid_t owner, parent;
    int arena, control, wake;
    uint32_t owner_token, token;
    uint64_t what;
};

static bool parse(const char *text, struct order *order)
{
    unsigned owner, parent, arena, control, wake;
    uint64_t what;
    if (sscanf(text, "%c,%x,%x,%x,%x,%x,%" SCNx32 ",%" SCNx32 ",%" SCNx64, &order->kind, &owner,
               &parent, &arena, &control, &wake, &order->owner_token, &order->token, &what) != 9)
        return false;
    order->owner = (pid_t)owner;
    order->parent = (pid_t)parent;
    order->arena = (int)arena;
    order->control = (int)control;
    order->wake = (int)wake;
    order->what = what;
    return order->kind == 'S' || order->kind == 'C';
}

static bool is_from(int control, pid_t owner)
{
    struct ucred maker;
    socklen_t size = sizeof maker;
    return getsockopt(control, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 && maker.pid == owner &&
           maker.uid == geteuid();
}

static void close_on_exec(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The fork server, or a child, from here to its end. */
_Noreturn static void serve(const struct order *order)
{
    struct hkti_serving serving = { .owner = order->owner,
                                    .owner_token = order->owner_token,
                                    .token = order->token,
                                    .control = order->control,
                                    .wake = order->wake };
    int kept[] = { order->arena, order->control, order->wake };
    hkti_close_others(kept, sizeof kept / sizeof *kept);
    close_on_exec(order->control);
    close_on_exec(order->wake);
    (void)prctl(PR_SET_NAME, "hkt-forkserver");
    if (order->what) {
        hkt_job *preload;
        int err = hkti_function_decode(order->what, &preload);
        if (err < 0)
            hkti_report_line("the fork server's preload function: %s", hkt_sentence(err));
        else
            ((void (*)(void))(uintptr_t)preload)();
    }
    hkti_serve(&serving);
}

_Noreturn static void run(const struct order *order)
{
    struct hkti_process_record *record = (struct hkti_process_record *)(uintptr_t)order->what;
    int kept[HKTI_PASSED_MAX + 1] = { order->arena };
    for (uint32_t i = 0; i < record->fd_count; i++)
        kept[i + 1] = hkti_record_fds(record)[i];
    hkti_close_others(kept, record->fd_count + 1);
    if (record->ignore_interrupts) {
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGQUIT, SIG_IGN);
    }
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    hkti_run_enter(record);
    hkt_job *function;
    int err = hkti_function_decode(record->function, &function);
    hkti_record_answer(record, err);
    if (err < 0)
        _exit(1);
    hkti_run(record, HKTI_RUN_EXIT);
}

void hkti_start_here(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    int saved = errno;
    struct order order;
    hkti_store_relaxed(&hkti_start_linked, 1);
    const char *text = getauxval(AT_SECURE) ? NULL : getenv(HKTI_START_VARIABLE);
    bool ours = text && parse(text, &order) && is_from(order.control, order.owner);
    if (text)
        (void)unsetenv(HKTI_START_VARIABLE);
    errno = saved;
    if (!ours)
        return;
    if (order.kind == 'C')
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != order.parent)
        _exit(1);
    int err = hkti_arena_attach(order.arena);
    if (err < 0) {
        hkti_report_line("a process cannot begin: %s", hkt_sentence(err));
        _exit(1);
    }
    close_on_exec(order.arena);
    if (order.kind == 'S')
        serve(&order);
    run(&order);
}
