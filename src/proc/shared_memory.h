/* SPDX-License-Identifier: MIT */
/* Segments inside: their first page, and the names of their files. */
#ifndef HKTI_PROC_SHARED_MEMORY_H
#define HKTI_PROC_SHARED_MEMORY_H

#include <hocket/shared_memory.h>
#include <sys/stat.h>

/* What the first page of a segment begins with. `disowned` is atomic, all else is written before
 * the segment has its name. The owner is known by its number, its start and the namespace that
 * numbers it; a start of 0: it could not find out, and is never taken for gone. */
struct hkti_segment_head {
    char magic[16];
    uint64_t size;  /* as asked for */
    uint64_t begin; /* of the data, in bytes from here */
    uint64_t owner_start;
    uint64_t owner_namespace;
    uint32_t owner;
    uint32_t disowned;
};

#define HKTI_SEGMENT_FOLDER "/dev/shm"
#define HKTI_SEGMENT_PREFIX "hocket."
#define HKTI_SEGMENT_NAME_MAX 200

struct hkti_segment_path {
    char text[sizeof HKTI_SEGMENT_FOLDER "/" HKTI_SEGMENT_PREFIX + HKTI_SEGMENT_NAME_MAX];
};

/* A file, whatever it is called. */
struct hkti_segment_file {
    dev_t device;
    ino_t inode;
};

/* These change errno. The path of the segment of this name: 0; -EINVAL, with a sentence. */
int hkti_segment_path(const char *name, struct hkti_segment_path *path);
/* An fd, or a negative errno; links are not followed. */
int hkti_segment_open_file(const char *path, int flags);
/* Fills the head for a segment of this process. */
void hkti_segment_sign(struct hkti_segment_head *head, size_t size);
/* Is this open file a segment of this user's, as far as its head says, which is copied? */
bool hkti_segment_look(int fd, struct stat *about, struct hkti_segment_head *head);
/* Removes the name of that file: 0; -ENOENT: it has it no more. */
int hkti_segment_remove(const char *path, struct hkti_segment_file file);

/* As hkt_shared_memory_create, and fill(bytes, arg) is called before anybody can open it. */
int hkti_shared_memory_make(hkt_shared_memory **segment, const char *name, size_t size,
                            void (*fill)(void *bytes, void *arg), void *arg);

#endif
