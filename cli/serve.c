/* SPDX-License-Identifier: MIT */
/* `hocket serve`: sets up, listens, and takes leave.
 *
 * It runs in one loop on the main thread. A task waits for SIGINT and SIGTERM: the first one closes
 * the server, which gives those who are being served GRACE seconds; a second one takes that away.
 * Who takes the signals exists before the loop does, so that Ctrl-C is not the loop's own. */
#include "cli.h"
#include "progress.h"
#include "serve_options.h"
#include "site.h"
#include "text.h"

#include <hocket/error.h>
#include <hocket/run.h>
#include <hocket/signal.h>
#include <hocket/task_group.h>
#include <hocket/tls.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define GRACE 5.0

enum { FDS_OF_OURS = 32, FDS_MIN = 8 };

struct serving {
    struct serve_options options;
    struct site site;
    hkt_tls *tls;
    hkt_signals *signals;
};

/* A client has a socket and at the most one file: as many clients as there are fds for. */
static size_t find_max_clients(long wanted)
{
    struct rlimit limit;
    size_t most = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return (size_t)wanted;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit more = { limit.rlim_max, limit.rlim_max };

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            limit = more;
    }
    if (limit.rlim_cur == RLIM_INFINITY)
        return (size_t)wanted;
    if (limit.rlim_cur > FDS_OF_OURS + 2 * FDS_MIN)
        most = (size_t)(limit.rlim_cur - FDS_OF_OURS) / 2;
    else
        most = FDS_MIN;
    return wanted > 0 && (size_t)wanted < most ? (size_t)wanted : most;
}

static int wait_for_second_signal(void *arg)
{
    struct serving *serving = arg;
    int signo = hkt_signals_wait(serving->signals);

    if (signo > 0)
        (void)hkt_server_close(serving->site.server, 0);
    return signo < 0 ? signo : 0;
}

static int wait_for_signal(void *arg)
{
    struct serving *serving = arg;
    hkt_task_group group = { 0 };
    int signo = hkt_signals_wait(serving->signals);

    if (signo < 0)
        return signo;
    serving->site.stopping = true;
    site_dismiss_idle(&serving->site);
    hkt_task_group_enter(&group, NULL);
    (void)hkt_task_group_spawn(&group, NULL, wait_for_second_signal, serving);
    (void)hkt_server_close(serving->site.server, GRACE);
    hkt_task_group_cancel(&group);
    return hkt_task_group_leave(&group, 0);
}

static void announce(const struct serving *serving)
{
    const char *scheme = serving->tls ? "https" : "http";
    char address[HKT_ADDRESS_MAX], name[TEXT_MAX];
    char *path = realpath(serving->options.dir, NULL);
    hkt_address bound;

    if (hkt_server_address(serving->site.server, &bound) < 0)
        memset(&bound, 0, sizeof bound);
    text_name(name, path ? path : serving->options.dir);
    progress_say("serving %s on %s://%s/", name, scheme, hkt_address_format(&bound, address));
    free(path);
}

static int serve_in_loop(void *arg)
{
    struct serving *serving = arg;
    hkt_task_group group = { 0 };
    hkt_server_options options = {
        .max_clients = serving->site.max_clients,
        .tls = serving->tls,
        .tls_timeout = serving->options.timeout,
        .name = "serve",
    };
    int err = hkt_server_start(&serving->site.server, serving->options.bind,
                               (int)serving->options.port, client_serve, &serving->site, &options);

    if (err < 0)
        return err;
    hkt_task_group_enter(&group, NULL);
    err = hkt_task_group_spawn(&group, NULL, wait_for_signal, serving);
    if (err == 0) {
        announce(serving);
        err = hkt_server_wait(serving->site.server);
    }
    if (err == 0)
        hkt_task_group_cancel(&group);
    err = hkt_task_group_leave(&group, err);
    hkt_server_destroy(serving->site.server);
    serving->site.server = NULL;
    return err;
}

static int open_tls(struct serving *serving)
{
    hkt_tls_options options = {
        .certificate = serving->options.certificate,
        .key = serving->options.key,
        .protocols = "http/1.1",
    };

    return options.certificate ? hkt_tls_server(&serving->tls, &options) : 0;
}

static int no_directory(const char *dir, int err)
{
    char name[TEXT_MAX];

    progress_say("cannot serve '%s': %s", text_name(name, dir), strerror(-err));
    return CLI_FAILED;
}

static int serve(struct serving *serving)
{
    static const int signos[] = { SIGINT, SIGTERM };
    int err = files_open_root(&serving->site.files, serving->options.dir);

    if (err < 0)
        return no_directory(serving->options.dir, err);
    err = open_tls(serving);
    if (err == 0)
        err = hkt_signals_create(&serving->signals, 2, signos);
    if (err == 0 && !serving->options.quiet)
        err = access_log_open(&serving->site.log);
    if (err == 0)
        err = hkt_run(serve_in_loop, serving);
    if (err < 0)
        hkt_report(err);
    hkt_signals_destroy(serving->signals);
    access_log_close(serving->site.log);
    hkt_tls_destroy(serving->tls);
    files_close_root(&serving->site.files);
    return err < 0 ? CLI_FAILED : CLI_OK;
}

int serve_main(int argc, char **argv)
{
    struct serving serving = { .tls = NULL };
    int status = serve_options_parse(&serving.options, argc, argv);

    if (status != 0)
        return status;
    if (serving.options.help) {
        fputs(serve_help, stdout);
        return CLI_OK;
    }
    if (!http_available()) {
        fputs("hocket serve: it is off, as this hocket was built without llhttp; "
              "install node-llhttp (Debian) and build again\n",
              stderr);
        return CLI_USAGE;
    }
    serving.site.hidden = serving.options.hidden;
    serving.site.timeout = serving.options.timeout;
    serving.site.max_clients = find_max_clients(serving.options.max_clients);
    return serve(&serving);
}
