/* SPDX-License-Identifier: MIT */
/* Questions for names. The C library's calls block, so they are made on a few threads of a pool
 * of their own; numbers are answered by the caller himself.
 *
 * A question lies on the heap and has two references, the asker's and the worker's; the last one
 * gives it back. So an asker may give up at any time: if the worker has not begun, the question
 * is taken back with both references; else it is left to itself, and the worker drops the
 * answer. The asker waits for the future of the job and reads the answer only when that is done.
 *
 * Who may touch what: references by both, atomically; the answer by the worker until its job has
 * ended, by the asker after that; the rest does not change. The pool's place: exec/default.c has
 * the same rules. */
#include <hocket/address.h>

#include <arpa/inet.h>
#include <errno.h>
#include <hocket/error.h>
#include <hocket/scope.h>
#include <hocket/thread_pool.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "exec/executor.h"
#include "park/scope.h"

#define WORKERS 8
#define PATIENCE 1.0 /* seconds that hkt_finalize waits for a name server */
#define PORT_MAX 65535

struct question {
    size_t size;
    uint32_t references;
    int (*ask)(struct question *question); /* 0, or one of the errors EAI_... */
    /* For addresses. */
    struct addrinfo hints;
    struct addrinfo *found;
    const char *host, *service;
    /* For names. */
    hkt_address address;
    /* The answer. */
    int err, system_err;
    char host_name[NI_MAXHOST], service_name[NI_MAXSERV];
    char text[]; /* host and service */
};

static hkt_executor *pool;

static hkt_executor *find_pool(void)
{
    hkt_executor *made;
    hkt_executor *found = hkti_load_acquire(&pool); /* pairs: resolve-pool */
    if (found)
        return found;
    const hkt_thread_pool_options options = { .max_workers = WORKERS,
                                              .name = "resolve",
                                              .daemon = true };
    if (hkt_thread_pool_create(&made, &options) < 0)
        return NULL;
    if (hkti_cas_acq_rel(&pool, (hkt_executor *)0, made)) /* pairs: resolve-pool */
        return made;
    hkt_executor_destroy(made);
    return hkti_load_acquire(&pool); /* pairs: resolve-pool */
}

static void drop(struct question *question, uint32_t references)
{
    uint32_t left = (uint32_t) - (int32_t)references;
    /* pairs: question */
    if (hkti_fetch_add_acq_rel(&question->references, left) != references)
        return;
    if (question->found)
        freeaddrinfo(question->found);
    hkti_release(question, question->size);
}

static int work(void *arg)
{
    struct question *question = arg;
    errno = 0;
    question->err = question->ask(question);
    question->system_err = errno;
    drop(question, 1);
    return 0;
}

/* The answer is there: 0, and the caller has his reference still. Else the question is gone. */
static int await_answer(struct question *question)
{
    hkt_executor *executor = find_pool();
    hkt_future *future;
    int err = executor ? hkt_submit(executor, &future, work, question) : -ENOMEM;
    if (err < 0) {
        drop(question, 2);
        return err;
    }
    err = hkt_future_wait(future);
    if (err < 0)
        drop(question, hkt_future_cancel(future) == 0 ? 2 : 1);
    hkt_future_destroy(future);
    return err;
}

static struct question *make_question(const char *host, const char *service)
{
    size_t host_size = host ? strlen(host) + 1 : 0,
           service_size = service ? strlen(service) + 1 : 0;
    size_t size = sizeof(struct question) + host_size + service_size;
    struct question *question = hkti_allocate(size);
    if (question == NULL)
        return NULL;
    question->size = size;
    question->references = 2;
    if (host)
        question->host = memcpy(question->text, host, host_size);
    if (service)
        question->service = memcpy(question->text + host_size, service, service_size);
    return question;
}

static int code_of(int eai, int system_err)
{
    switch (eai) {
    case EAI_NONAME:
    case EAI_SERVICE:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_OVERFLOW:
        return -EMSGSIZE;
    case EAI_FAIL:
        return -EIO;
    case EAI_SYSTEM:
        return system_err == ENOMEM ? -ENOMEM : -EIO;
    default:
        return -EINVAL;
    }
}

/* What went wrong with a question, in words: `what` was asked for. */
static int fail(const char *what, const char *host, const char *service, int eai, int system_err)
{
    int err = code_of(eai, system_err);
    const char *why = eai == EAI_SYSTEM ? hkt_strerror(-system_err) : gai_strerror(eai);
    return hkt_fail(err, "cannot find %s of %s%s%s: %s", what, host ? host : "this machine",
                    service ? ", service " : "", service ? service : "", why);
}

/* A service that is a number, or none: its port. -1: it is a name. */
static long number_of(const char *service)
{
    if (service == NULL)
        return 0;
    size_t digits = strspn(service, "0123456789");
    if (digits == 0 || service[digits])
        return -1;
    return digits > 9 ? PORT_MAX + 1 : strtol(service, NULL, 10);
}

/* A host that is a number, also in the old ways of writing ("127.1"): true. */
static bool parse_number(hkt_address *address, const char *host, int port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (*host == 0)
        return false;
    if (hkt_address_parse(address, host, port) == 0)
        return true;
    if (host[strcspn(host, " \t\n\v\f\r")] || inet_aton(host, &in.sin_addr) == 0)
        return false;
    return hkt_address_from_sockaddr(address, (const struct sockaddr *)&in, sizeof in) == 0;
}

/* This machine, in numbers. */
static int own_numbers(int family, bool passive, int port, hkt_address *addresses, size_t max)
{
    const char *const hosts[] = { passive ? "::" : "::1", passive ? "0.0.0.0" : "127.0.0.1" };
    int count = 0;
    for (int i = 0; i < 2; i++) {
        if (family && family != (i ? AF_INET : AF_INET6))
            continue;
        if ((size_t)count < max)
            hkt_address_parse(&addresses[count], hosts[i], port);
        count++;
    }
    return count;
}

static bool is_same(const struct addrinfo *a, const struct addrinfo *b)
{
    return a->ai_addrlen == b->ai_addrlen && memcmp(a->ai_addr, b->ai_addr, a->ai_addrlen) == 0;
}

/* How many there are, each once, of which the first `max` are written. */
static int collect(const struct addrinfo *found, hkt_address *addresses, size_t max)
{
    int count = 0;
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        const struct addrinfo *earlier = found;
        while (earlier != one && !is_same(earlier, one))
            earlier = earlier->ai_next;
        if (earlier != one)
            continue;
        if ((size_t)count < max &&
            hkt_address_from_sockaddr(&addresses[count], one->ai_addr, one->ai_addrlen) < 0)
            continue;
        count++;
    }
    return count;
}

static int ask_addresses(struct question *question)
{
    return getaddrinfo(question->host, question->service, &question->hints, &question->found);
}

static int ask_for_addresses(const char *host, const char *service,
                             const hkt_resolve_options *options, hkt_address *addresses, size_t max)
{
    /* Neither host nor service is refused by the C library. */
    struct question *question = make_question(host, host || service ? service : "0");
    if (question == NULL)
        return -ENOMEM;
    question->ask = ask_addresses;
    question->hints.ai_family = options->family;
    question->hints.ai_socktype = options->type ? options->type : SOCK_STREAM;
    question->hints.ai_flags = options->passive ? AI_PASSIVE : 0;
    int err = await_answer(question);
    if (err < 0)
        return err;
    err = question->err ? fail("the address", host, service, question->err, question->system_err)
                        : collect(question->found, addresses, max);
    drop(question, 1);
    return err;
}

static bool is_in(int value, int a, int b)
{
    return value == 0 || value == a || value == b;
}

static int resolve(const char *host, const char *service, hkt_address *addresses, size_t max,
                   const hkt_resolve_options *options)
{
    hkt_address number;
    long port = number_of(service);
    if (!is_in(options->family, AF_INET, AF_INET6) ||
        !is_in(options->type, SOCK_STREAM, SOCK_DGRAM))
        return hkt_fail(-EINVAL, "the address of %s: no such family, or type",
                        host ? host : "this machine");
    if (port > PORT_MAX)
        return hkt_fail(-EINVAL, "%s, service %s: a port is at the most %d",
                        host ? host : "this machine", service, PORT_MAX);
    if ((host && (*host == 0 || strlen(host) >= NI_MAXHOST)) || (service && *service == 0))
        return fail("the address", host, service, EAI_NONAME, 0);
    if (host && port >= 0 && parse_number(&number, host, (int)port)) {
        if (options->family && options->family != hkt_address_sockaddr(&number)->sa_family)
            return fail("the address", host, service, EAI_ADDRFAMILY, 0);
        if (max > 0)
            addresses[0] = number;
        return 1;
    }
    if (!options->numeric)
        return ask_for_addresses(host, service, options, addresses, max);
    if (host || port < 0)
        return fail("the number", host, service, EAI_NONAME, 0);
    return own_numbers(options->family, options->passive, (int)port, addresses, max);
}

int hkt_resolve(const char *host, const char *service, hkt_address *addresses, size_t max,
                const hkt_resolve_options *options)
{
    static const hkt_resolve_options defaults;
    int err = hkti_cancelled(0);
    if (err < 0)
        return err;
    int saved = errno;
    err = resolve(host, service, addresses, max, options ? options : &defaults);
    errno = saved;
    return err;
}

static int ask_name(struct question *question)
{
    return getnameinfo(hkt_address_sockaddr(&question->address), question->address.length,
                       question->host_name, sizeof question->host_name, question->service_name,
                       sizeof question->service_name, 0);
}

static int copy(char *to, size_t size, const char *from, size_t length)
{
    if (to == NULL)
        return 0;
    if (length >= size)
        return -EMSGSIZE;
    memcpy(to, from, length);
    to[length] = 0;
    return 0;
}

/* Both, or neither. */
static int copy_both(char *host, size_t host_size, const char *host_name, size_t host_length,
                     char *service, size_t service_size, const char *service_name)
{
    size_t length = strlen(service_name);
    if (service && length >= service_size)
        return -EMSGSIZE;
    int err = copy(host, host_size, host_name, host_length);
    return err < 0 ? err : copy(service, service_size, service_name, length);
}

/* Out of its text: "192.0.2.1:80", "[::1]:80". */
static int number_name(const char *text, char *host, size_t host_size, char *service,
                       size_t service_size)
{
    const char *colon = strrchr(text, ':');
    bool brackets = text[0] == '[';
    return copy_both(host, host_size, text + brackets, (size_t)(colon - text) - 2 * brackets,
                     service, service_size, colon + 1);
}

static int ask_for_name(const hkt_address *address, const char *text, char *host, size_t host_size,
                        char *service, size_t service_size)
{
    struct question *question = make_question(NULL, NULL);
    if (question == NULL)
        return -ENOMEM;
    question->ask = ask_name;
    question->address = *address;
    int err = await_answer(question);
    if (err < 0)
        return err;
    if (question->err)
        err = fail("the name", text, NULL, question->err, question->system_err);
    else
        err = copy_both(host, host_size, question->host_name, strlen(question->host_name), service,
                        service_size, question->service_name);
    drop(question, 1);
    return err;
}

int hkt_resolve_name(const hkt_address *address, char *host, size_t host_size, char *service,
                     size_t service_size, bool numeric)
{
    char text[HKT_ADDRESS_MAX];
    int err = numeric ? 0 : hkti_cancelled(0);
    if (err < 0)
        return err;
    hkt_address_format(address, text);
    if (hkt_address_port(address) < 0) {
        if (address->length == 0 || hkt_address_sockaddr(address)->sa_family != AF_UNIX)
            return hkt_fail(-EINVAL, "cannot find the name of %s: it has no host", text);
        return copy_both(host, host_size, text, strlen(text), service, service_size, "");
    }
    if (numeric || (host == NULL && service == NULL))
        return number_name(text, host, host_size, service, service_size);
    int saved = errno;
    err = ask_for_name(address, text, host, host_size, service, service_size);
    errno = saved;
    return err;
}

/* A name server that does not answer does not hold up the end for longer than that: the pool is
 * then left to itself, and goes when the answer has come. */
static bool finalize(void)
{
    hkt_executor *last = hkti_exchange_acq_rel(&pool, (hkt_executor *)0); /* pairs: resolve-pool */
    if (last == NULL)
        return true;
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    int err = hkt_executor_shutdown_until(last, hkt_after(PATIENCE));
    hkt_scope_leave(&shield);
    hkt_executor_destroy(last);
    return err == 0;
}

static struct hkti_strand_events events = { .finalize = finalize };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
}
