/* SPDX-License-Identifier: MIT */
/* Tasks inside a GLib program: its main loop, which may draw windows, watches
 * the fd of ours, and lets it take a step when that is readable. Both sides run
 * on one thread, and need no locks between them. Built where GLib is found. */
#include <glib-unix.h>
#include <hocket.h>
#include <stdio.h>

static GMainLoop *window;

static int download(void *arg) /* a task: waits as anywhere */
{
    const char *name = arg;
    int err = hkt_sleep(0.2);
    if (err < 0)
        return err;
    printf("hocket: %s is here\n", name);
    err = hkt_sleep(0.4);
    printf("hocket: %s is stored\n", name);
    g_main_loop_quit(window);
    return err;
}

static gboolean step(gint fd, GIOCondition condition, gpointer loop)
{
    (void)fd, (void)condition;
    int count = hkt_loop_step(loop);
    return count < 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static gboolean blink(gpointer arg) /* GLib's own timer */
{
    (void)arg;
    puts("GLib: the cursor blinks");
    return G_SOURCE_REMOVE;
}

int main(void)
{
    hkt_loop *loop;
    int err = hkt_loop_create(&loop, NULL);
    if (err < 0)
        return hkt_report(err);
    window = g_main_loop_new(NULL, FALSE);
    int fd = hkt_loop_fd(loop);
    if (fd >= 0)
        err = hkt_submit(hkt_loop_executor(loop), NULL, download, "the photo");
    if (fd >= 0 && err == 0) {
        guint source = g_unix_fd_add(fd, G_IO_IN, step, loop);
        g_timeout_add(400, blink, NULL);
        g_main_loop_run(window);
        g_source_remove(source);
    }
    g_main_loop_unref(window);
    hkt_loop_destroy(loop);
    return hkt_report(fd < 0 ? fd : err);
}
