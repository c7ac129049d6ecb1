/* SPDX-License-Identifier: MIT */
/* All of hocket. Each header stands for itself too. */
#ifndef HOCKET_H
#define HOCKET_H

#include <hocket/address.h>
#include <hocket/barrier.h>
#include <hocket/condition.h>
#include <hocket/context.h>
#include <hocket/coroutine_pool.h>
#include <hocket/datagram.h>
#include <hocket/error.h>
#include <hocket/event.h>
#include <hocket/executor.h>
#include <hocket/fd.h>
#include <hocket/file.h>
#include <hocket/fork.h>
#include <hocket/future.h>
#include <hocket/giant_lock.h>
#include <hocket/imap.h>
#include <hocket/item.h>
#include <hocket/local.h>
#include <hocket/lock.h>
#include <hocket/loop.h>
#include <hocket/memory.h>
#include <hocket/once.h>
#include <hocket/parallel.h>
#include <hocket/process.h>
#include <hocket/queue.h>
#include <hocket/run.h>
#include <hocket/rwlock.h>
#include <hocket/scheduler.h>
#include <hocket/scope.h>
#include <hocket/semaphore.h>
#include <hocket/server.h>
#include <hocket/shared.h>
#include <hocket/shared_barrier.h>
#include <hocket/shared_condition.h>
#include <hocket/shared_event.h>
#include <hocket/shared_lock.h>
#include <hocket/shared_queue.h>
#include <hocket/shared_semaphore.h>
#include <hocket/shared_value.h>
#include <hocket/signal.h>
#include <hocket/simulate.h>
#include <hocket/stream.h>
#include <hocket/subprocess.h>
#include <hocket/task.h>
#include <hocket/task_group.h>
#include <hocket/thread.h>
#include <hocket/thread_pool.h>
#include <hocket/thread_state.h>
#include <hocket/time.h>
#include <hocket/timer.h>
#include <hocket/tls.h>
#include <hocket/version.h>

#endif
