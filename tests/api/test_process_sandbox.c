/* SPDX-License-Identifier: MIT */
/* Processes in sandboxes: some system calls are refused, and /dev/shm is absent or full. Each in a child
 * of the test, which has used nothing of hocket before. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "processes.h"

#define CALL_WAITV 449 /* futex_waitv, of Linux 5.16 on; by all processors the same */
#define CANNOT 77      /* exit code: this system lets nobody make such a sandbox */

/* These calls, `count` of them, fail with `err` from now on, in what is started from here too. */
static void refuse(const long *calls, int count, int err)
{
    struct sock_filter filter[2 + 8];
    int length = 0;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                    offsetof(struct seccomp_data, nr));
    for (int i = 0; i < count; i++) /* each jumps to the refusal, which is last */
        filter[length++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(count - i), 0);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                    SECCOMP_RET_ERRNO | (uint32_t)err);
    struct sock_fprog program = { .len = (unsigned short)length, .filter = filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(CANNOT);
    errno = 0;
    CHECK_EQ(syscall(calls[0], 0, 0, 0, 0, 0), -1);
    CHECK_EQ(errno, err);
}

/* How it ended; false: it could not be tried. */
static bool in_child(void (*part)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        part();
        exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
        return false;
    CHECK_EQ(status, 0);
    return true;
}

struct work {
    hkt_shared_queue *queue;
    hkt_shared_lock lock;
    int count, started;
};

static int count_up(void *arg)
{
    struct work *work = arg;
    for (int i = 0; i < 200; i++) {
        int err = hkt_shared_lock_acquire(&work->lock);
        if (err < 0)
            return err;
        int seen = work->count;
        if (i % 16 == 0)
            sched_yield();
        work->count = seen + 1;
        hkt_shared_lock_release(&work->lock);
    }
    return hkt_shared_queue_put(work->queue, "done", 4);
}

static int stay(void *arg)
{
    put(&((struct work *)arg)->started, 1);
    return hkt_sleep(3600);
}

static int outlive(void *arg) /* waits for its parent, whose end it is to see */
{
    put(&((struct work *)arg)->started, 1);
    return hkt_process_join_until(hkt_process_parent(), hkt_after(0.01)) == -ETIMEDOUT ? 0 : 1;
}

static int square(void *arg)
{
    *(int *)arg *= *(int *)arg;
    return 0;
}

static void use_methods(struct work *work)
{
    EACH_METHOD(method)
    {
        char text[8];
        work->count = 0;
        hkt_process *process = start_by(method, count_up, work, 0);
        CHECK_EQ(count_up(work), 0);
        CHECK_EQ(hkt_shared_queue_get(work->queue, text, sizeof text), 4);
        CHECK_EQ(hkt_shared_queue_get(work->queue, text, sizeof text), 4);
        CHECK_EQ(hkt_shared_queue_get_until(work->queue, text, sizeof text, hkt_after(0.01)),
                 -ETIMEDOUT);
        CHECK_EQ(end_of(process), 0);
        CHECK_EQ(work->count, 400);
        CHECK_EQ(end_of(start_by(method, outlive, work, 0)), 0);
        work->started = 0;
        process = start_by(method, stay, work, 0);
        await_word(&work->started);
        CHECK_EQ(hkt_process_join_until(process, hkt_after(0.01)), -ETIMEDOUT);
        CHECK_EQ(hkt_process_kill(process), 0);
        CHECK_EQ(end_of(process), -SIGKILL);
    }
}

static int wait_in_loop(void *arg)
{
    struct work *work = arg;
    char text[8];
    hkt_process *process = start_by(HKT_START_FORKSERVER, count_up, work, 0);
    CHECK_EQ(hkt_shared_queue_get(work->queue, text, sizeof text), 4);
    return hkt_process_finish(process);
}

static void use_pool(void)
{
    hkt_executor *pool;
    int numbers[100];
    CHECK_EQ(hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 2 }), 0);
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    CHECK_EQ(hkt_map(pool, square, HKT_ARRAY(numbers)), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(numbers[i], i * i);
    hkt_executor_destroy(pool);
}

static void use_everything(void)
{
    struct work *work = hkt_shared_alloc(sizeof *work);
    CHECK(work != NULL);
    CHECK_EQ(hkt_shared_queue_create(&work->queue, NULL), 0);
    use_methods(work);
    CHECK_EQ(hkt_run(wait_in_loop, work), 0);
    use_pool();
    hkt_shared_queue_destroy(work->queue);
    hkt_shared_free(work);
    finalize_alone();
}

static const long all_calls[] = { SYS_memfd_create, SYS_pidfd_open, CALL_WAITV };

static void without_memfd(void)
{
    refuse(&all_calls[0], 1, ENOSYS);
    use_everything();
}

static void without_pidfd(void)
{
    refuse(&all_calls[1], 1, ENOSYS);
    use_everything();
}

static void without_waitv(void)
{
    refuse(&all_calls[2], 1, ENOSYS);
    use_everything();
}

static void without_all(void)
{
    refuse(all_calls, 3, ENOSYS);
    use_everything();
}

static void forbidden_all(void)
{
    refuse(all_calls, 3, EPERM);
    use_everything();
}

static void check_works(void (*part)(void))
{
    if (!in_child(part))
        TEST_SKIP("this system has no seccomp filters");
}

TEST_TIMEOUT(without_memfd_create_the_arena_is_a_file, 60)
{
    check_works(without_memfd);
}

TEST_TIMEOUT(without_pidfds_ends_are_seen, 60)
{
    check_works(without_pidfd);
}

TEST_TIMEOUT(without_futex_waitv_waits_end, 60)
{
    check_works(without_waitv);
}

TEST_TIMEOUT(without_all_three_everything_works, 60)
{
    check_works(without_all);
}

TEST_TIMEOUT(where_all_three_are_forbidden_everything_works, 60)
{
    check_works(forbidden_all);
}

/* Folders. */

static void have_own_mounts(void)
{
    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        _exit(CANNOT);
}

static void mount_on(const char *folder, const char *options)
{
    if (mount("none", folder, "tmpfs", 0, options) < 0)
        _exit(CANNOT);
}

static void without_the_folder(void)
{
    have_own_mounts();
    mount_on("/dev", "size=1m");
    use_everything(); /* the arena needs none */
}

static void without_the_folder_and_memfd(void)
{
    have_own_mounts();
    mount_on("/dev", "size=1m");
    mount_on("/tmp", "size=100m"); /* not each folder has files without a name */
    refuse(all_calls, 1, ENOSYS);
    use_everything();
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void without_any_place(void)
{
    hkt_process *process;
    have_own_mounts();
    mount_on("/dev", "size=1m");
    mount_on("/tmp", "size=1m");
    CHECK_EQ(mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    refuse(all_calls, 1, ENOSYS);
    CHECK(hkt_shared_alloc(10) == NULL);
    for (int i = 0; i < 2; i++) {
        int err = hkt_process_spawn(&process, nothing, NULL, 0, NULL);
        CHECK(err < 0);
        CHECK(strstr(hkt_sentence(err), "memfd_create, /dev/shm and /tmp all refuse one") != NULL);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

static void in_a_full_folder(void)
{
    char options[32];
    for (unsigned kib = 4; kib <= 4096; kib *= 2) {
        pid_t child = fork();
        if (child == 0) {
            hkt_process *process;
            have_own_mounts();
            (void)snprintf(options, sizeof options, "size=%uk", kib);
            mount_on("/dev/shm", options);
            refuse(all_calls, 1, ENOSYS);
            int err = hkt_process_spawn(&process, nothing, NULL, 0, NULL);
            if (err == 0)
                CHECK_EQ(end_of(process), 0);
            else
                CHECK_EQ(err, -ENOMEM);
            if (err < 0)
                CHECK(strstr(hkt_sentence(err), "memory") != NULL);
            CHECK(hkt_shared_alloc(5 << 20) == NULL); /* and does not die when it is written to */
            finalize_alone();
            exit(0);
        }
        int status = 0;
        CHECK_EQ(waitpid(child, &status, 0), child);
        if (status != 0 && WEXITSTATUS(status) == CANNOT)
            _exit(CANNOT);
        CHECK_EQ(status, 0);
    }
}

static void check_in_folders(void (*part)(void))
{
    if (!in_child(part))
        TEST_SKIP("this system lets nobody mount, or has no seccomp filters");
}

TEST_TIMEOUT(without_dev_shm_everything_works, 60)
{
    check_in_folders(without_the_folder);
}

TEST_TIMEOUT(without_dev_shm_and_memfd_create_the_arena_is_in_tmp, 60)
{
    check_in_folders(without_the_folder_and_memfd);
}

TEST(without_a_place_for_the_arena_a_start_says_so)
{
    check_in_folders(without_any_place);
}

TEST_TIMEOUT(in_a_full_dev_shm_there_is_no_memory_and_nobody_dies, 60)
{
    check_in_folders(in_a_full_folder);
}
