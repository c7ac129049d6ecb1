/* SPDX-License-Identifier: MIT */
/* The names of segments: files in /dev/shm, called "hocket." and the name.
 *
 * Names are removed by owners, and by sweeps: of those whose owners are gone. Who removes one has
 * the file's flock, and has seen under it that the name is still that file's. A name is never put
 * in another one's place, so it stays that file's until it is removed: two sweeps, one of which is
 * slow, cannot remove a name that was made afresh between them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "proc/shared_memory.h"

#define MAGIC "hocket segment1"

/* "/" and letters, digits, ".", "_", "-". */
int hkti_segment_path(const char *name, struct hkti_segment_path *path)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = *name == '/' ? strspn(name + 1, good) : 0;
    if (length == 0 || length > HKTI_SEGMENT_NAME_MAX || name[1 + length] != 0)
        return hkt_fail(-EINVAL,
                        "\"%.40s\" is no name of a segment: \"/\" and up to 200 letters, "
                        "digits, \".\", \"_\", \"-\"",
                        name);
    snprintf(path->text, sizeof path->text, HKTI_SEGMENT_FOLDER "/" HKTI_SEGMENT_PREFIX "%s",
             name + 1);
    return 0;
}

static uint64_t own_namespace(void)
{
    struct stat about;
    return stat("/proc/self/ns/pid", &about) < 0 ? 0 : about.st_ino;
}

/* The calling process, as an owner; a start of 0: it could not find out. */
static struct hkti_segment_head who_am_i(void)
{
    struct hkti_os_process process;
    struct hkti_segment_head self = { .owner = (uint32_t)getpid(),
                                      .owner_namespace = own_namespace() };
    if (self.owner_namespace && hkti_os_process_look(getpid(), &process) == 0)
        self.owner_start = process.start;
    return self;
}

/* Who knows nothing of himself knows nothing of others. */
static bool owner_is_gone(const struct hkti_segment_head *head,
                          const struct hkti_segment_head *self)
{
    struct hkti_os_process process;
    if (head->owner_start == 0 || self->owner_start == 0 ||
        head->owner_namespace != self->owner_namespace)
        return false;
    if (head->owner == self->owner)
        return head->owner_start != self->owner_start;
    int err = hkti_os_process_look((int)head->owner, &process);
    if (err < 0)
        return err == -ESRCH;
    return process.start != head->owner_start || hkti_os_process_has_ended(&process);
}

void hkti_segment_sign(struct hkti_segment_head *head, size_t size)
{
    *head = who_am_i();
    memcpy(head->magic, MAGIC, sizeof MAGIC);
    head->size = size;
    head->begin = hkti_os_page_size();
}

int hkti_segment_open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_file(const struct stat *about, struct hkti_segment_file file)
{
    return about->st_dev == file.device && about->st_ino == file.inode;
}

/* Under the file's flock: removes the name if it is that file's. */
static int remove_locked(const char *path, struct hkti_segment_file file)
{
    struct stat about;
    if (lstat(path, &about) < 0)
        return -errno;
    if (!is_file(&about, file))
        return -ENOENT;
    return unlink(path) < 0 ? -errno : 0;
}

/* Who has it is about to remove the name, so it does not take long. Other users cannot have it. */
static int lock(int fd)
{
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Of a file of ours: 0; -ENOENT: it has the name no more. */
int hkti_segment_remove(const char *path, struct hkti_segment_file file)
{
    struct stat about;
    int fd = hkti_segment_open_file(path, O_RDONLY), err = 0;
    if (fd < 0)
        return fd;
    if (fstat(fd, &about) < 0 || !is_file(&about, file))
        err = -ENOENT;
    if (err == 0)
        err = lock(fd);
    if (err == 0)
        err = remove_locked(path, file);
    hkti_os_close(fd);
    return err;
}

/* Is this open file a segment of this user's, as far as its first page says? */
bool hkti_segment_look(int fd, struct stat *about, struct hkti_segment_head *head)
{
    if (fstat(fd, about) < 0 || !S_ISREG(about->st_mode) || about->st_uid != geteuid())
        return false;
    return pread(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head &&
           memcmp(head->magic, MAGIC, sizeof MAGIC) == 0;
}

/* Removes it if it is a segment whose owner is gone. When this returns, its name is gone in any
 * case, though somebody else may have removed it. */
static bool sweep_one(const char *path, const struct hkti_segment_head *self)
{
    struct stat about;
    struct hkti_segment_head head;
    bool removed = false;
    int fd = hkti_segment_open_file(path, O_RDONLY);
    if (fd < 0)
        return false;
    /* It is looked at once more, for its owner may have disowned it as the last thing that he did.
     * */
    if (hkti_segment_look(fd, &about, &head) && !head.disowned && owner_is_gone(&head, self) &&
        lock(fd) == 0 && hkti_segment_look(fd, &about, &head) && !head.disowned) {
        struct hkti_segment_file file = { about.st_dev, about.st_ino };
        removed = remove_locked(path, file) == 0;
    }
    hkti_os_close(fd);
    return removed;
}

static int sweep(void)
{
    int count = 0;
    DIR *folder = opendir(HKTI_SEGMENT_FOLDER);
    if (folder == NULL)
        return 0;
    const struct hkti_segment_head self = who_am_i();
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        struct hkti_segment_path path;
        if (strncmp(entry->d_name, HKTI_SEGMENT_PREFIX, strlen(HKTI_SEGMENT_PREFIX)) != 0 ||
            strlen(entry->d_name) > strlen(HKTI_SEGMENT_PREFIX) + HKTI_SEGMENT_NAME_MAX)
            continue;
        snprintf(path.text, sizeof path.text, HKTI_SEGMENT_FOLDER "/%s", entry->d_name);
        count += sweep_one(path.text, &self);
    }
    closedir(folder);
    return count;
}

int hkt_shared_memory_sweep(void)
{
    int saved = errno;
    int count = sweep();
    errno = saved;
    return count;
}
