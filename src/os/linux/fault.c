/* SPDX-License-Identifier: MIT */
/* Faults, and stacks for signal handlers.
 *
 * The handler stands before the one that was there, and is no hindrance to it: a fault that is not
 * ours is handed on in its own way, under its own mask. After a fault of ours the former handler is
 * put back; the instruction is tried again, faults again, and then meets it.
 *
 * State: the former handlers, written once, before ours is there. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/os.h"

#define LEAST_SIGNAL_STACK ((size_t)32 << 10)

static const int signals[2] = { SIGSEGV, SIGBUS };
static struct sigaction former[2];
static bool (*look_at)(const void *address, const void *stack_pointer);
static _Thread_local char *own_stack;

static const void *stack_pointer_of(const void *context)
{
    const ucontext_t *user = context;
#if defined(__x86_64__)
    return (const void *)user->uc_mcontext.gregs[REG_RSP];
#else
    return (const void *)user->uc_mcontext.sp;
#endif
}

static void hand_on(int signo, siginfo_t *info, void *context)
{
    const struct sigaction *action = &former[signo == SIGBUS];
    bool sent = info->si_code <= 0; /* by somebody: it will not come again by itself */
    if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(signo, info, context);
    } else if (action->sa_handler == SIG_DFL || (action->sa_handler == SIG_IGN && !sent)) {
        sigaction(signo, action, NULL);
        if (sent)
            raise(signo);
    } else if (action->sa_handler != SIG_IGN) {
        action->sa_handler(signo);
    }
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    bool touched = info->si_code > 0 && info->si_code != SI_KERNEL;
    if (touched && look_at(info->si_addr, stack_pointer_of(context))) {
        for (int i = 0; i < 2; i++)
            sigaction(signals[i], &former[i], NULL);
    } else {
        hand_on(signo, info, context);
    }
    errno = saved;
}

int hkti_os_fault_watch(bool (*look)(const void *address, const void *stack_pointer))
{
    int saved = errno, err = 0;
    look_at = look;
    for (int i = 0; i < 2 && err == 0; i++) {
        err = sigaction(signals[i], NULL, &former[i]) < 0 ? -errno : 0;
        struct sigaction action = { .sa_mask = former[i].sa_mask };
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK |
                          (former[i].sa_flags & (SA_RESTART | SA_NODEFER));
        if (err == 0 && sigaction(signals[i], &action, NULL) < 0)
            err = -errno;
    }
    errno = saved;
    return err;
}

static size_t signal_stack_size(void)
{
    long size = sysconf(_SC_SIGSTKSZ); /* grows with the registers of the processor */
    size_t page = hkti_os_page_size();
    size_t least = size > (long)LEAST_SIGNAL_STACK ? (size_t)size : LEAST_SIGNAL_STACK;
    return (least + 2 * page - 1) & ~(page - 1); /* with its guard */
}

int hkti_os_signal_stack(void)
{
    stack_t stack;
    int saved = errno, err = 0;
    size_t page = hkti_os_page_size(), size = signal_stack_size();
    if (own_stack == NULL && sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE)) {
        char *memory = hkti_os_stack_map(size);
        stack = (stack_t){ .ss_sp = memory + page, .ss_size = size - page };
        if (memory == NULL) {
            err = -ENOMEM;
        } else if (sigaltstack(&stack, NULL) < 0) {
            hkti_os_stack_unmap(memory, size);
            err = -ENOMEM;
        } else {
            own_stack = memory;
        }
    }
    errno = saved;
    return err;
}

void hkti_os_signal_stack_end(void)
{
    stack_t stack;
    int saved = errno;
    if (own_stack == NULL)
        return;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == own_stack + hkti_os_page_size())
        sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    hkti_os_stack_unmap(own_stack, signal_stack_size());
    own_stack = NULL;
    errno = saved;
}

void hkti_os_write_error(const char *text, size_t size)
{
    int saved = errno;
    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        text += written;
        size -= (size_t)written;
    }
    errno = saved;
}
