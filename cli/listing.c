/* SPDX-License-Identifier: MIT */
/* Names are bytes. What a browser shows of them is escaped, with a sign in place of bytes that are
 * no UTF-8; where its links lead to is encoded byte by byte. */
#include "listing.h"

#include "target_path.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct item {
    char *name;
    bool folder;
    uint64_t size;
    time_t changed;
};

struct items {
    struct item *items;
    size_t count, room;
};

static int by_kind_and_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->folder != y->folder ? y->folder - x->folder : strcmp(x->name, y->name);
}

static void free_items(struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        free(items->items[i].name);
    free(items->items);
}

static int add(struct items *items, const char *name, const struct stat *status)
{
    if (items->count == items->room) {
        size_t room = items->room ? 2 * items->room : 64;
        struct item *more = realloc(items->items, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        items->items = more;
        items->room = room;
    }
    char *copy = strdup(name);

    if (!copy)
        return -ENOMEM;
    items->items[items->count++] = (struct item){
        .name = copy,
        .folder = S_ISDIR(status->st_mode),
        .size = (uint64_t)status->st_size,
        .changed = status->st_mtime,
    };
    return 0;
}

/* What a link in the folder names, if that is beneath the root. */
static int look_behind(const struct listing *listing, const char *link, struct stat *status)
{
    char name[TARGET_PATH_MAX + 2];
    int n = snprintf(name, sizeof name, "%s%s%s", listing->name, *listing->name ? "/" : "", link);

    if ((size_t)n >= sizeof name)
        return -ENAMETOOLONG;
    int fd = files_open_here(listing->files, name, O_PATH);

    if (fd < 0)
        return fd;
    int err = fstat(fd, status) < 0 ? -errno : 0;

    close(fd);
    return err;
}

/* One name of the folder. What cannot be served, or is gone meanwhile, is left out. */
static int take(const struct listing *listing, struct items *items, int fd, const char *name)
{
    struct stat status;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (*name == '.' && !listing->hidden))
        return 0;
    if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISLNK(status.st_mode) && look_behind(listing, name, &status) < 0)
        return 0;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return 0;
    return add(items, name, &status);
}

static int read_folder(struct listing *listing, struct items *items)
{
    int fd = listing->fd, err = 0;
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    listing->fd = -1;
    if (!dir) {
        err = -errno;
        close(fd);
        return err;
    }
    while (err == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        err = take(listing, items, dirfd(dir), entry->d_name);
    if (err == 0 && errno != 0)
        err = -errno;
    closedir(dir);
    return err;
}

static void print_escaped(FILE *page, const char *name)
{
    const unsigned char *s = (const unsigned char *)name;

    while (*s) {
        size_t n = text_letter(s);

        if (n == 0 || *s < ' ' || *s == 127)
            fputs("\xEF\xBF\xBD", page); /* the sign for what cannot be shown */
        else if (strchr("&<>\"'", *s))
            fprintf(page, "&#%d;", *s);
        else
            fwrite(s, 1, n, page);
        s += n ? n : 1;
    }
}

static void print_item(FILE *page, const struct item *item)
{
    char link[3 * 256 + 1], when[32], size[TEXT_MAX] = "";
    struct tm parts;

    if (strlen(item->name) > 255) /* no file system has that */
        return;
    target_path_encode(link, item->name, false);
    if (!gmtime_r(&item->changed, &parts) ||
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &parts) == 0)
        *when = 0;
    if (!item->folder)
        text_bytes(size, item->size);
    fprintf(page, "<tr><td><a href=\"./%s%s\">", link, item->folder ? "/" : "");
    print_escaped(page, item->name);
    fprintf(page, "%s</a></td><td>%s</td><td>%s</td></tr>\n", item->folder ? "/" : "", size, when);
}

static void print_page(FILE *page, const char *name, const struct items *items)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
          page);
    fputc('/', page);
    print_escaped(page, name);
    fputs("</title>\n<style>body{font-family:sans-serif}td{padding:0 1em 0 0}"
          "td+td{text-align:right}</style></head>\n<body><h1>/",
          page);
    print_escaped(page, name);
    fputs("</h1>\n<table>\n", page);
    if (*name)
        fputs("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n", page);
    for (size_t i = 0; i < items->count; i++)
        print_item(page, &items->items[i]);
    fputs("</table></body></html>\n", page);
}

int listing_make(void *arg)
{
    struct listing *listing = arg;
    struct items items = { NULL, 0, 0 };
    int err = read_folder(listing, &items);
    FILE *page = err == 0 ? open_memstream(&listing->page, &listing->length) : NULL;

    if (page) {
        if (items.count > 0)
            qsort(items.items, items.count, sizeof items.items[0], by_kind_and_name);
        print_page(page, listing->name, &items);
        bool cut = ferror(page) != 0;

        if (fclose(page) != 0 || cut) {
            free(listing->page);
            listing->page = NULL;
            err = -ENOMEM;
        }
    } else if (err == 0) {
        err = -ENOMEM;
    }
    free_items(&items);
    return err;
}
