/* SPDX-License-Identifier: MIT */
/* hocket/address.h, questions for names. In most tests a name server of the test's own answers, as it
 * is told to, or does not: names.h. */
#include <netdb.h>

#include "names.h"
#include "scarce.h"

/* All addresses in a line; the error. */
static int resolve_into(char *text, const char *host, const char *service,
                        const hkt_resolve_options *options)
{
    hkt_address addresses[8];
    char one[HKT_ADDRESS_MAX];
    errno = 4711;
    int count = hkt_resolve(host, service, addresses, 8, options);
    CHECK_EQ(errno, 4711);
    text[0] = 0;
    for (int i = 0; i < count && i < 8; i++)
        strcat(strcat(text, i ? " " : ""), hkt_address_format(&addresses[i], one));
    return count;
}

static int ask_for_numbers(void *arg)
{
    char text[1024];
    hkt_resolve_options options = { .numeric = true };
    (void)arg;
    CHECK_EQ(resolve_into(text, "127.0.0.1", "80", NULL), 1);
    CHECK_STR(text, "127.0.0.1:80");
    CHECK_EQ(resolve_into(text, "::1", NULL, NULL), 1);
    CHECK_STR(text, "[::1]:0");
    CHECK_EQ(resolve_into(text, "127.1", "000080", &options), 1);
    CHECK_STR(text, "127.0.0.1:80");
    CHECK_EQ(resolve_into(text, "0x7f000001", "65535", NULL), 1);
    CHECK_STR(text, "127.0.0.1:65535");
    CHECK_EQ(resolve_into(text, NULL, "80", &options), 2);
    CHECK_STR(text, "[::1]:80 127.0.0.1:80");
    options.passive = true;
    CHECK_EQ(resolve_into(text, NULL, "80", &options), 2);
    CHECK_STR(text, "[::]:80 0.0.0.0:80");
    options.family = AF_INET;
    CHECK_EQ(resolve_into(text, NULL, NULL, &options), 1);
    CHECK_STR(text, "0.0.0.0:0");
    options.family = AF_INET6;
    CHECK_EQ(resolve_into(text, NULL, NULL, &options), 1);
    CHECK_STR(text, "[::]:0");
    CHECK_EQ(hkt_resolve("127.0.0.1", "1", NULL, 0, NULL), 1);
    CHECK_EQ(hkt_resolve(NULL, "1", NULL, 0, &options), 1);
    return 0;
}

static int nobody_was_asked(void *arg)
{
    hkt_thread_info infos[64];
    CHECK_EQ(ask_for_numbers(arg), 0);
    size_t count = hkt_thread_enumerate(infos, 64);
    for (size_t i = 0; i < count; i++)
        CHECK(strncmp(infos[i].name, "resolve", 7) != 0);
    return 0;
}

TEST(numbers_are_answered_at_once)
{
    for (int kind = 0; kind < KINDS; kind++) {
        CHECK_EQ(run_in(kind, kind == IN_LOOP ? ask_for_numbers : nobody_was_asked, NULL), 0);
        check_finalized();
    }
}

static int ask_wrongly(void *arg)
{
    char text[1024], longest[NI_MAXHOST + 1];
    hkt_resolve_options options = { .numeric = true };
    (void)arg;
    CHECK_EQ(resolve_into(text, "nobody.example", "80", &options), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), "nobody.example") != NULL);
    CHECK_EQ(resolve_into(text, "127.0.0.1", "http", &options), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), "http") != NULL);
    CHECK_EQ(resolve_into(text, NULL, "http", &options), -ENOENT);
    CHECK_EQ(resolve_into(text, "127.0.0.1 ", "1", &options), -ENOENT);
    options.family = AF_INET6;
    CHECK_EQ(resolve_into(text, "127.0.0.1", "1", &options), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), "127.0.0.1") != NULL);
    options.family = AF_UNIX;
    CHECK_EQ(resolve_into(text, "127.0.0.1", "1", &options), -EINVAL);
    options = (hkt_resolve_options){ .type = SOCK_RAW };
    CHECK_EQ(resolve_into(text, NULL, "1", &options), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "this machine") != NULL);
    CHECK_EQ(resolve_into(text, "127.0.0.1", "65536", NULL), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "65536") != NULL);
    CHECK_EQ(resolve_into(text, "localhost", "99999999999999999999", NULL), -EINVAL);
    CHECK_EQ(resolve_into(text, "", "80", NULL), -ENOENT);
    CHECK_EQ(resolve_into(text, "localhost", "", NULL), -ENOENT);
    memset(longest, 'x', sizeof longest);
    longest[NI_MAXHOST] = 0;
    CHECK_EQ(resolve_into(text, longest, "80", NULL), -ENOENT);
    return 0;
}

TEST(what_cannot_be_asked_is_refused)
{
    in_each_kind(ask_wrongly);
}

static int ask_for_this_machine(void *arg)
{
    hkt_address addresses[8];
    char text[HKT_ADDRESS_MAX];
    hkt_resolve_options options = { .passive = true, .type = SOCK_DGRAM };
    (void)arg;
    int count = hkt_resolve(NULL, "80", addresses, 8, NULL);
    CHECK(count == 1 || count == 2);
    for (int i = 0; i < count; i++)
        CHECK(strcmp(hkt_address_format(&addresses[i], text), "127.0.0.1:80") == 0 ||
              strcmp(hkt_address_format(&addresses[i], text), "[::1]:80") == 0);
    count = hkt_resolve(NULL, NULL, addresses, 8, &options);
    CHECK(count == 1 || count == 2);
    for (int i = 0; i < count; i++)
        CHECK(strcmp(hkt_address_format(&addresses[i], text), "0.0.0.0:0") == 0 ||
              strcmp(hkt_address_format(&addresses[i], text), "[::]:0") == 0);
    return 0;
}

TEST(no_host_is_this_machine)
{
    in_each_kind(ask_for_this_machine);
}

static int ask_names(void *arg)
{
    char text[1024];
    hkt_resolve_options options = { .family = AF_INET };
    hkt_address one[2] = { { .length = 0 } };
    (void)arg;
    CHECK_EQ(resolve_into(text, "one.test", "80", NULL), 1);
    CHECK_STR(text, "192.0.2.1:80");
    CHECK_EQ(resolve_into(text, "twice.test", NULL, &options), 2); /* of three, two the same */
    CHECK(strstr(text, "192.0.2.1:0") && strstr(text, "192.0.2.2:0"));
    CHECK_EQ(resolve_into(text, "both.test", "1", NULL), 2);
    CHECK(strstr(text, "192.0.2.1:1") && strstr(text, "[2001:db8::1]:1"));
    options.family = AF_INET6;
    CHECK_EQ(resolve_into(text, "both.test", "1", &options), 1);
    CHECK_STR(text, "[2001:db8::1]:1");
    CHECK_EQ(resolve_into(text, "one.test", "1", &options), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), "one.test, service 1") != NULL);
    CHECK_EQ(hkt_resolve("both.test", "1", one, 1, NULL), 2); /* and one is written */
    CHECK(one[0].length > 0 && one[1].length == 0);
    CHECK_EQ(resolve_into(text, "nobody.test", "1", NULL), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), "nobody.test") != NULL);
    CHECK_EQ(resolve_into(text, "later.test", "1", NULL), -EAGAIN);
    CHECK(strstr(hkt_sentence(-EAGAIN), "later.test") != NULL);
    CHECK_EQ(resolve_into(text, "one.test", "no-such-service", NULL), -ENOENT);
    return 0;
}

TEST_TIMEOUT(names_have_the_addresses_that_the_server_says, 60)
{
    names_open();
    for (int kind = 0; kind < KINDS; kind++) {
        CHECK_EQ(run_in(kind, ask_names, NULL), 0);
        check_finalized();
    }
    names_close();
}

static int ask_services(void *arg)
{
    char text[1024];
    (void)arg;
    CHECK_EQ(resolve_into(text, "127.0.0.1", "http", NULL), 1);
    CHECK_STR(text, "127.0.0.1:80");
    CHECK_EQ(resolve_into(text, "127.0.0.1", "tftp", &(hkt_resolve_options){ .type = SOCK_DGRAM }),
             1);
    CHECK_STR(text, "127.0.0.1:69");
    return 0;
}

TEST(services_have_names)
{
    if (getservbyname("http", "tcp") == NULL || getservbyname("tftp", "udp") == NULL)
        TEST_SKIP("no list of services");
    endservent();
    in_each_kind(ask_services);
}

static hkt_address must_parse(const char *host, int port)
{
    hkt_address address;
    CHECK_EQ(hkt_address_parse(&address, host, port), 0);
    return address;
}

static int name_numbers(void *arg)
{
    char host[64], service[16];
    hkt_address four = must_parse("192.0.2.1", 80), six = must_parse("2001:db8::1", 65535);
    hkt_address path = must_parse("/tmp/x", -1), none = { .length = 0 };
    (void)arg;
    CHECK_EQ(hkt_resolve_name(&four, host, sizeof host, service, sizeof service, true), 0);
    CHECK_STR(host, "192.0.2.1");
    CHECK_STR(service, "80");
    CHECK_EQ(hkt_resolve_name(&six, host, sizeof host, NULL, 0, true), 0);
    CHECK_STR(host, "2001:db8::1");
    CHECK_EQ(hkt_resolve_name(&six, NULL, 0, service, 6, true), 0);
    CHECK_STR(service, "65535");
    CHECK_EQ(hkt_resolve_name(&six, NULL, 0, service, 5, true), -EMSGSIZE);
    CHECK_EQ(hkt_resolve_name(&six, host, 11, NULL, 0, true), -EMSGSIZE);
    CHECK_EQ(hkt_resolve_name(&six, host, 12, NULL, 0, true), 0);
    CHECK_EQ(hkt_resolve_name(&six, host, 0, NULL, 0, true), -EMSGSIZE);
    CHECK_EQ(hkt_resolve_name(&six, NULL, 0, NULL, 0, false), 0);
    CHECK_EQ(hkt_resolve_name(&path, host, sizeof host, service, sizeof service, false), 0);
    CHECK_STR(host, "/tmp/x");
    CHECK_STR(service, "");
    CHECK_EQ(hkt_resolve_name(&none, host, sizeof host, NULL, 0, true), -EINVAL);
    return 0;
}

TEST(numbers_are_their_own_names)
{
    in_each_kind(name_numbers);
}

static int ask_for_hosts(void *arg)
{
    char host[64], service[64];
    hkt_address known = must_parse("192.0.2.1", 1), unknown = must_parse("192.0.2.77", 1);
    (void)arg;
    CHECK_EQ(hkt_resolve_name(&known, host, sizeof host, service, sizeof service, false), 0);
    CHECK_STR(host, "one.test");
    CHECK_EQ(hkt_resolve_name(&unknown, host, sizeof host, NULL, 0, false), 0);
    CHECK_STR(host, "192.0.2.77");
    strcpy(host, "before");
    CHECK_EQ(hkt_resolve_name(&known, host, 8, service, sizeof service, false), -EMSGSIZE);
    CHECK_STR(host, "before");
    CHECK_EQ(hkt_resolve_name(&known, host, 9, NULL, 0, false), 0);
    return 0;
}

TEST_TIMEOUT(addresses_have_the_names_that_the_server_says, 60)
{
    names_open();
    for (int kind = 0; kind < KINDS; kind++) {
        CHECK_EQ(run_in(kind, ask_for_hosts, NULL), 0);
        check_finalized();
    }
    names_close();
}

static int ask_one(void *host)
{
    hkt_address address;
    char text[HKT_ADDRESS_MAX];
    int count = hkt_resolve(host, "1", &address, 1, &(hkt_resolve_options){ .family = AF_INET });
    if (count == 1)
        CHECK_STR(hkt_address_format(&address, text), "192.0.2.1:1");
    return count;
}

static int ask_back(void *arg)
{
    char host[64];
    hkt_address address = must_parse(arg, 1);
    return hkt_resolve_name(&address, host, sizeof host, NULL, 0, false);
}

static int give_up(void *arg)
{
    (void)arg;
    hkt_scope scope;
    double start = hkt_monotonic();
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(ask_one("hangs.test"), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK(hkt_monotonic() - start >= 0.05);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(ask_back("192.0.2.66"), -ECANCELED); /* hangs, too */
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK_EQ(call_cancelled(ask_one, (char *)"one.test"), -ECANCELED);
    CHECK_EQ(call_cancelled(ask_back, (char *)"192.0.2.1"), -ECANCELED);
    CHECK_EQ(call_cancelled(ask_one, (char *)"127.0.0.1"), -ECANCELED);
    CHECK_EQ(ask_one("one.test"), 1); /* others are answered meanwhile */
    names_let_go();
    return 0;
}

TEST_TIMEOUT(who_gives_up_returns_at_once, 60)
{
    for (int kind = 0; kind < KINDS; kind++) {
        names_open();
        CHECK_EQ(run_in(kind, give_up, NULL), 0);
        check_finalized();
        names_close();
    }
}

/* With all workers held up, further questions wait; who gives up then takes his question back. */
#define MANY 40

static int ask_many(void *arg)
{
    hkt_future *hanging[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++)
        hanging[i] = must_submit(hkt_executor_current(), ask_one, (char *)"hangs.test");
    while (names_held() < 8)
        CHECK_EQ(hkt_sleep(0.001), 0);
    hkt_future *last = must_submit(hkt_executor_current(), ask_one, (char *)"one.test");
    CHECK_EQ(hkt_sleep(0.05), 0);
    CHECK(!hkt_future_done(last));
    CHECK_EQ(names_held(), 8);
    for (int i = 0; i < MANY; i += 2) {
        CHECK_EQ(hkt_future_request_cancel(hanging[i]), 0);
        CHECK_EQ(hkt_future_finish(hanging[i]), -ECANCELED);
    }
    names_let_go();
    for (int i = 1; i < MANY; i += 2)
        CHECK_EQ(hkt_future_finish(hanging[i]), 1);
    CHECK_EQ(hkt_future_finish(last), 1);
    return 0;
}

TEST_TIMEOUT(eight_questions_are_on_their_way_and_others_wait, 60)
{
    for (int kind = 0; kind < SIDE_BY_SIDE; kind++) {
        names_open();
        if (kind == IN_POOL) { /* a worker for each */
            hkt_executor *pool = must_pool(MANY + 2);
            CHECK_EQ(hkt_future_finish(must_submit(pool, ask_many, NULL)), 0);
            hkt_executor_destroy(pool);
        } else {
            CHECK_EQ(run_in(kind, ask_many, NULL), 0);
        }
        check_finalized();
        names_close();
    }
}

static int ask_often(void *arg)
{
    struct test_random *random = arg;
    for (long i = test_scaled(200); i > 0; i--) {
        hkt_scope scope;
        hkt_scope_enter(
            &scope, &(hkt_scope_options){ .deadline = hkt_after(random_seconds(random, 0.002)) });
        int result = ask_one("one.test");
        int end = hkt_scope_leave(&scope);
        CHECK_EQ(result < 0 ? result : 0, result < 0 ? -ECANCELED : 0);
        CHECK(result == 1 || end == -ETIMEDOUT);
    }
    return 0;
}

TEST_TIMEOUT(at_whatever_moment_one_gives_up_nothing_is_lost, 120)
{
    struct test_random random[12];
    hkt_future *tasks[12];
    names_open();
    hkt_executor *coroutines = must_coroutines(0, 2), *pool = must_pool(2);
    for (int i = 0; i < 12; i++) {
        random[i] = random_of((uint64_t)i);
        tasks[i] = must_submit(i % 2 ? coroutines : pool, ask_often, &random[i]);
    }
    for (int i = 0; i < 12; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    hkt_executor_destroy(coroutines);
    hkt_executor_destroy(pool);
    check_finalized();
    names_close();
}

/* A process whose question is not answered ends all the same. */
static void ask_and_exit(void)
{
    hkt_scope scope;
    names_open_for(30);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(ask_one("hangs.test"), -ECANCELED);
    hkt_scope_leave(&scope);
    exit(7);
}

TEST_TIMEOUT(a_process_ends_without_the_answer, 60)
{
    int status;
    double start = hkt_monotonic();
    pid_t child = fork();
    if (child == 0)
        ask_and_exit();
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        TEST_SKIP("no name server of the test's own");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(hkt_monotonic() - start < 15);
    check_finalized();
}

/* hkt_finalize waits a little for it, says so, and all is given back later. */
TEST_TIMEOUT(the_end_of_hocket_does_not_wait_for_the_answer, 60)
{
    struct lines lines;
    struct caller asker;
    names_open_for(30);
    lines_open(&lines);
    caller_start(&asker, ask_one, (char *)"hangs.test");
    AWAIT(names_held() > 0);
    caller_cancel(&asker);
    CHECK_EQ(caller_end(&asker), -ECANCELED);
    CHECK_EQ(hkt_finalize(), -EBUSY);
    CHECK(strstr(lines.text[0], "\"resolve\"") != NULL);
    CHECK_EQ(ask_one("one.test"), 1); /* afresh */
    names_let_go();
    AWAIT(hkt_finalize() == 0);
    CHECK_EQ(hkt_allocation_count(), 0);
    CHECK_EQ(lines.count, 1);
    hkt_set_report_sink(NULL, NULL);
    names_close();
}

static int ask_scarcely(void *arg)
{
    (void)arg;
    int count = ask_one("one.test");
    if (count < 0)
        return count;
    CHECK_EQ(count, 1);
    return ask_back("192.0.2.1");
}

TEST_TIMEOUT(without_memory_no_question_is_left, 120)
{
    names_open();
    with_scarce_memory(ON_THREAD, ask_scarcely);
    with_scarce_memory(IN_LOOP, ask_scarcely);
    names_close();
}
