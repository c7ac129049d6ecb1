/* SPDX-License-Identifier: MIT */
/* Static files over HTTP: `hocket serve` against nginx with one process, each on one CPU, with 100
 * clients by wrk on another one, which keep their connections. No access log, sendfile in both. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"

enum { HOCKET, NGINX, SYSTEMS };
enum { CLIENTS = 100 };

static const char *const names[] = { [HOCKET] = "hocket", [NGINX] = "nginx" };

static const char nginx_configuration[] = "daemon off;\n"
                                          "master_process off;\n"
                                          "pid nginx.pid;\n"
                                          "error_log stderr crit;\n"
                                          "events { worker_connections 1024; }\n"
                                          "http {\n"
                                          "    access_log off;\n"
                                          "    sendfile on;\n"
                                          "    tcp_nopush on;\n"
                                          "    keepalive_requests 100000000;\n"
                                          "    default_type application/octet-stream;\n"
                                          "    client_body_temp_path body;\n"
                                          "    proxy_temp_path proxy;\n"
                                          "    fastcgi_temp_path fastcgi;\n"
                                          "    uwsgi_temp_path uwsgi;\n"
                                          "    scgi_temp_path scgi;\n"
                                          "    server {\n"
                                          "        listen 127.0.0.1:%d;\n"
                                          "        root files;\n"
                                          "    }\n"
                                          "}\n";

static char folder[] = "/tmp/bench_serve.XXXXXX";

static void write_file(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(name, "w");

    if (!file || fwrite(text, 1, size, file) != size || fclose(file) != 0)
        bench_fail("%s/%s", folder, name);
}

/* The folder is the current one from now on. */
static void make_files(void)
{
    static char bytes[1 << 20];

    if (!mkdtemp(folder) || chdir(folder) < 0)
        bench_fail("mkdtemp: %s", folder);
    memset(bytes, '.', sizeof bytes);
    if (system("mkdir files") != 0)
        bench_fail("%s/files", folder);
    write_file("files/1K", bytes, 1 << 10);
    write_file("files/1M", bytes, 1 << 20);
}

static void remove_files(void)
{
    char command[64];

    if (chdir("/") < 0)
        return;
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", folder);
}

static bool start(struct bench_server *server, int s)
{
    int port = bench_free_port();
    char number[16], text[sizeof nginx_configuration + 16];
    const char *const ours[] = { "hocket", "serve", "--quiet", "--port", number, "files", NULL };
    const char *const theirs[] = { access("/usr/sbin/nginx", X_OK) == 0 ? "/usr/sbin/nginx"
                                                                        : "nginx",
                                   "-p",
                                   folder,
                                   "-c",
                                   "nginx.conf",
                                   "-e",
                                   "stderr",
                                   NULL };

    snprintf(number, sizeof number, "%d", port);
    snprintf(text, sizeof text, nginx_configuration, port);
    write_file("nginx.conf", text, strlen(text));
    return bench_server_start(server, port, s == NGINX ? theirs : ours);
}

/* Milliseconds of "123.45us", "1.20ms", "1.02s". */
static double milliseconds(const char *text)
{
    char *unit;
    double value = strtod(text, &unit);

    return unit[0] == 'u' ? value / 1e3 : unit[0] == 'm' ? value : value * 1e3;
}

/* Requests a second; how many there were, and the 99th percentile in milliseconds. */
static double run_wrk(int port, const char *file, int seconds, double *count, double *p99)
{
    char command[256], line[256], text[64];
    double rate = (double)NAN;

    snprintf(command, sizeof command, "wrk -t1 -c%d -d%ds --latency http://127.0.0.1:%d/%s",
             CLIENTS, seconds, port, file);
    FILE *output = popen(command, "r");
    if (!output)
        bench_fail("popen: %s", command);
    while (fgets(line, sizeof line, output)) {
        if (strstr(line, "Non-2xx") || strstr(line, "Socket errors"))
            bench_fail("wrk: %s", line);
        if (sscanf(line, " 99%% %63s", text) == 1)
            *p99 = milliseconds(text);
        sscanf(line, " %lf requests in", count);
        sscanf(line, "Requests/sec: %lf", &rate);
    }
    if (pclose(output) != 0 || isnan(rate))
        bench_fail("failed: %s", command);
    return rate;
}

/* The first run warms up. wrk knows whole seconds only. */
static void measure(const struct bench_workload *workload, int s, double values[])
{
    const char *file = strchr(workload->name, '-') + 1;
    struct bench_server server;
    double count, p99;

    bench_apart();
    if (start(&server, s)) {
        if (workload->seconds >= 1)
            run_wrk(server.port, file, 1, &count, &p99);
        double before = bench_server_cpu(&server);
        values[0] = run_wrk(server.port, file, (int)ceil(workload->seconds), &count, &p99);
        values[1] = p99;
        values[2] = (bench_server_cpu(&server) - before) / count / 1e3;
        bench_server_stop(&server);
    }
    bench_together();
}

#define FILES(size)                                                                                \
    {                                                                                              \
        "serve-" size, measure, 1, CLIENTS, 0,                                                     \
        {                                                                                          \
            { "requests", "/s", BENCH_MORE }, { "p99", "ms", BENCH_LESS },                         \
            {                                                                                      \
                "server_cpu", "us", BENCH_LESS                                                     \
            }                                                                                      \
        }                                                                                          \
    }

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = { FILES("1K"), FILES("1M") };

    bench_begin(argc, argv, "Static files over HTTP.");
    if (system("command -v wrk >/dev/null") == 0) {
        make_files();
        for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
            bench_measure(&workloads[i], names, SYSTEMS);
        remove_files();
    } else {
        bench_left_out("HTTP", "there is no wrk");
    }
    return bench_end();
}
