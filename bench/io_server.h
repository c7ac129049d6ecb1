/* SPDX-License-Identifier: MIT */
/* The other ends that bench_io starts as processes of their own: itself, with these arguments.
 *
 *     bench_io server hocket|epoll             an echo server: prints its port, serves for good
 *     bench_io reader hocket|thread|blocking   takes connections and reads each to its end */
#ifndef BENCH_IO_SERVER_H
#define BENCH_IO_SERVER_H

#include <stddef.h>

/* Bytes that a server reads at the most at a time: the same for all of them. */
enum { ECHO_BUFFER = 1024 };
/* Of the throughput: what is written, and read, by one call. */
enum { PIECE = 1 << 20, READ_PIECE = 1 << 18 };

/* None of them returns but with a status for main. */
int io_serve_hocket(void);
int io_serve_epoll(void);
int io_read_hocket(void);
int io_read_threads(void);
int io_read_blocking(void);

/* Writes `pieces` times PIECE bytes to that port, and waits until the other side has read all
 * of it. */
void io_write_hocket(int port, long pieces);
void io_write_threads(int port, long pieces);
void io_write_blocking(int port, long pieces);

#endif
