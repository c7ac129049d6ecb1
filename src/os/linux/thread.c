/* SPDX-License-Identifier: MIT */
/* Threads of the system, and memory of the calling thread.
 *
 * The memory is a thread-local block, there without any allocation, and found by a thread-local
 * pointer: only the pointer needs the quick but scarce kind of thread-local storage, so that the
 * library can also be loaded at run time. Its end is told by the destructor of a pthread key,
 * which also runs in threads that hocket did not make. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/seam.h"
#include "os/os.h"

static _Thread_local __attribute__((aligned(64))) char local_block[HKTI_OS_LOCAL_SIZE];
_Thread_local __attribute__((tls_model("initial-exec"))) void *hkti_os_local_memory;
static _Thread_local void (*exit_function)(void *local);
static pthread_key_t exit_key;
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;
static int exit_key_err;

#ifdef HKT_SIM
void *hkti_os_local(void)
{
    if (hkti_seam)
        return hkti_seam->local();
    return hkti_os_local_memory ? hkti_os_local_memory : (hkti_os_local_memory = local_block);
}
#else
void *hkti_os_local_first(void)
{
    hkti_os_local_memory = local_block;
    return local_block;
}
#endif

#ifdef HKT_SIM
void hkti_os_set_local(void *memory, const void *stack)
{
    if (hkti_seam)
        hkti_seam->set_local(memory, stack);
    else
        hkti_os_local_memory = memory;
}
#endif

static void at_exit(void *block)
{
    exit_function(block);
}

static void make_exit_key(void)
{
    exit_key_err = pthread_key_create(&exit_key, at_exit);
}

int hkti_os_at_thread_exit(void (*function)(void *local))
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->at_thread_exit(function);
#endif
    pthread_once(&exit_key_once, make_exit_key);
    exit_function = function;
    if (exit_key_err || pthread_setspecific(exit_key, local_block))
        return -ENOMEM;
    return 0;
}

static void *run(void *arg)
{
    struct hkti_os_thread *thread = arg;
    thread->handle = (uintptr_t)
        pthread_self(); /* here: it may be joined before its creator goes on */
    thread->function(thread->arg);
    return NULL;
}

/* The least that the system takes differs: 16 KiB on x86-64, 128 KiB on aarch64. */
static int set_stack_size(pthread_attr_t *attributes, size_t size)
{
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    return size ? pthread_attr_setstacksize(attributes, size < least ? least : size) : 0;
}

int hkti_os_thread_start(struct hkti_os_thread *thread, void (*function)(void *), void *arg)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->thread_start(thread, function, arg);
#endif
    pthread_attr_t attributes;
    pthread_t handle;
    int saved = errno;
    if (pthread_attr_init(&attributes))
        return -ENOMEM;
    thread->function = function;
    thread->arg = arg;
    int err = set_stack_size(&attributes, thread->stack_size);
    if (err == 0)
        err = pthread_create(&handle, &attributes, run, thread);
    pthread_attr_destroy(&attributes);
    errno = saved;
    return -err;
}

void hkti_os_thread_join(struct hkti_os_thread *thread)
{
#ifdef HKT_SIM
    if (hkti_seam) {
        hkti_seam->thread_join(thread);
        return;
    }
#endif
    pthread_join((pthread_t)thread->handle, NULL);
}

void hkti_os_thread_detach(struct hkti_os_thread *thread)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return;
#endif
    pthread_detach((pthread_t)thread->handle);
}

int hkti_os_native_id(void)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->native_id();
#endif
    return (int)syscall(SYS_gettid);
}

bool hkti_os_is_main(void)
{
    return hkti_os_native_id() == getpid();
}

/* By /proc, since the kernel's name of another thread has no other way; a failure (no /proc) only
 * loses the name that ps shows. */
void hkti_os_set_name_of(int native_id, const char *name)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return;
#endif
    char path[64];
    int saved = errno;
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", native_id);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t written = write(fd, name, strnlen(name, 15));
        (void)written;
        close(fd);
    }
    errno = saved;
}

void hkti_os_set_name(const char *name)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return;
#endif
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}
