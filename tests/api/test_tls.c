/* SPDX-License-Identifier: MIT */
/* TLS: two sides that speak it, as tasks and as threads. What goes wrong is in test_tls_bad.c. */
#include <hocket.h>

#include "test.h"

#ifdef HAVE_OPENSSL
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "tls_pairs.h"

/* Runs both ways to run two sides, with `body` each, in a world. */
static void both_ways(const struct side *client, const struct side *server,
                      void (*look)(const struct side *client, const struct side *server))
{
    for (int way = 0; way < 2; way++) {
        struct side a = *client, b = *server;
        if (way == 0)
            run_in_tasks(&a, &b);
        else
            run_in_threads(&a, &b);
        if (a.result != 0)
            test_fail(__FILE__, __LINE__, "client: %s", a.sentence);
        if (b.result != 0)
            test_fail(__FILE__, __LINE__, "server: %s", b.sentence);
        if (look)
            look(&a, &b);
    }
}

static void see_names(const struct side *client, const struct side *server)
{
    CHECK_STR(client->info.version, "TLSv1.3");
    CHECK(strncmp(client->info.cipher, "TLS_", 4) == 0);
    CHECK_STR(client->info.cipher, server->info.cipher);
    CHECK_STR(client->info.protocol, "");
    CHECK_STR(client->info.peer, "CN=example.org");
    CHECK_STR(client->info.server_name, "");
    CHECK_STR(server->info.server_name, "example.org");
    CHECK_STR(server->info.peer, "");
}

/* Runs two greeters with these contexts, which are given back, and the world with them. */
static void greeting(struct world *world, hkt_tls *client, hkt_tls *server, const char *name,
                     void (*look)(const struct side *client, const struct side *server))
{
    both_ways(&(struct side){ .body = greet, .tls = client, .name = name },
              &(struct side){ .body = greet, .tls = server }, look);
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(world);
}

TEST(tls_is_there)
{
    CHECK(hkt_tls_available());
    check_finalized();
}

TEST(two_sides_greet_each_other)
{
    struct world world;
    world_open(&world);
    greeting(&world, world_client(&world), world_server(&world), "example.org", see_names);
}

static void see_no_name(const struct side *client, const struct side *server)
{
    CHECK_STR(client->info.peer, "CN=example.org");
    CHECK_STR(server->info.server_name, "");
}

TEST(a_number_is_verified_and_is_not_said)
{
    struct world world;
    world_open(&world);
    greeting(&world, world_client(&world), world_server(&world), "127.0.0.1", see_no_name);
}

TEST(an_ipv6_number_is_verified)
{
    struct world world;
    world_open(&world);
    greeting(&world, world_client(&world), world_server(&world), "::1", see_no_name);
}

static void see_wildcard(const struct side *client, const struct side *server)
{
    (void)client;
    CHECK_STR(server->info.server_name, "www.example.net");
}

TEST(a_name_may_end_with_a_dot_and_match_a_wildcard)
{
    struct world world;
    world_open(&world);
    greeting(&world, world_client(&world), world_server(&world), "www.example.net.", see_wildcard);
}

TEST(rsa_keys_in_a_file_of_their_own_do_as_well)
{
    struct world world;
    world_open(&world);
    struct identity rsa = make_identity((struct identity_options){
        .subject = "rsa", .names = "DNS:example.org", .issuer = &world.authority, .rsa = true });
    hkt_tls *server = must_server(
        &(hkt_tls_options){ .certificate = rsa.file, .key = rsa.key_file });
    free_identity(&rsa);
    greeting(&world, world_client(&world), server, "example.org", NULL);
}

TEST(who_believes_everybody_needs_no_name)
{
    struct world world;
    world_open(&world);
    greeting(&world, must_client(&(hkt_tls_options){ .insecure = true }), world_server(&world),
             NULL, NULL);
}

static void see_client(const struct side *client, const struct side *server)
{
    (void)client;
    CHECK_STR(server->info.peer, "CN=Alice");
}

TEST(a_client_shows_its_certificate)
{
    struct world world;
    world_open(&world);
    struct identity alice = make_identity(
        (struct identity_options){ .subject = "Alice", .issuer = &world.authority });
    hkt_tls *client = must_client(
        &(hkt_tls_options){ .authorities = world.authority.file, .certificate = alice.file });
    hkt_tls *server = must_server(&(hkt_tls_options){ .certificate = world.server.file,
                                                      .authorities = world.authority.file,
                                                      .ask_client = true });
    free_identity(&alice);
    greeting(&world, client, server, "example.org", see_client);
}

static void see_http(const struct side *client, const struct side *server)
{
    CHECK_STR(client->info.protocol, "http/1.1");
    CHECK_STR(server->info.protocol, "http/1.1");
}

static void see_none(const struct side *client, const struct side *server)
{
    CHECK_STR(client->info.protocol, "");
    CHECK_STR(server->info.protocol, "");
}

static void protocols(const char *of_client, const char *of_server,
                      void (*look)(const struct side *client, const struct side *server))
{
    struct world world;
    world_open(&world);
    hkt_tls *client = must_client(
        &(hkt_tls_options){ .authorities = world.authority.file, .protocols = of_client });
    hkt_tls *server = must_server(
        &(hkt_tls_options){ .certificate = world.server.file, .protocols = of_server });
    greeting(&world, client, server, "example.org", look);
}

TEST(the_server_chooses_the_protocol_by_its_own_order)
{
    protocols("h2,http/1.1,x", "spdy,http/1.1,h2", see_http);
}

TEST(without_a_protocol_in_common_they_go_on)
{
    protocols("h2", "http/1.1", see_none);
}

TEST(who_speaks_of_no_protocol_gets_none)
{
    protocols(NULL, "http/1.1", see_none);
}

/* The same contexts again and again: what the later handshakes say. */
static void resume(bool client_may, bool server_may, bool resumed)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = must_client(
        &(hkt_tls_options){ .authorities = world.authority.file, .no_tickets = !client_may });
    hkt_tls *server = must_server(
        &(hkt_tls_options){ .certificate = world.server.file, .no_tickets = !server_may });
    for (int i = 0; i < 6; i++) {
        struct side a = { .body = greet, .tls = client, .name = "example.org" };
        struct side b = { .body = greet, .tls = server };
        (i % 2 ? run_in_tasks : run_in_threads)(&a, &b);
        CHECK_EQ(a.result, 0);
        CHECK_EQ(b.result, 0);
        CHECK_EQ(a.info.resumed, i > 0 && resumed);
        CHECK_EQ(b.info.resumed, i > 0 && resumed);
        CHECK_STR(a.info.peer, "CN=example.org");
    }
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(&world);
}

TEST(an_earlier_session_is_taken_up_again)
{
    resume(true, true, true);
}

TEST(without_tickets_of_the_server_it_is_not)
{
    resume(true, false, false);
}

TEST(without_tickets_of_the_client_it_is_not)
{
    resume(false, true, false);
}

TEST(a_session_is_that_of_the_name)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = world_client(&world), *server = world_server(&world);
    for (int i = 0; i < 40; i++) { /* more names than are kept */
        char name[32];
        snprintf(name, sizeof name, "w%d.example.net", i % 20);
        struct side a = { .body = greet, .tls = client, .name = name };
        struct side b = { .body = greet, .tls = server };
        run_in_tasks(&a, &b);
        CHECK_EQ(a.result, 0);
        CHECK_EQ(a.info.resumed, 0); /* the one before was the 20th last */
        struct side again = { .body = greet, .tls = client, .name = name };
        b = (struct side){ .body = greet, .tls = server };
        run_in_tasks(&again, &b);
        CHECK_EQ(again.result, 0);
        CHECK_EQ(again.info.resumed, 1);
        CHECK_STR(b.info.server_name, name);
    }
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(&world);
}

/* Contexts may go before the streams that use them. */
static int destroy_and_greet(struct side *side)
{
    int err = shake_hands(side);
    hkt_tls_destroy(side->tls);
    if (err == 0)
        err = hkt_stream_write(side->stream, "x", 1);
    char byte;
    return err < 0 ? err : hkt_stream_read_exactly(side->stream, &byte, 1, NULL);
}

TEST(a_context_may_be_destroyed_while_streams_use_it)
{
    struct world world;
    world_open(&world);
    struct side a = { .body = destroy_and_greet, .name = "example.org" };
    struct side b = { .body = destroy_and_greet };
    a.tls = world_client(&world);
    b.tls = world_server(&world);
    run_in_tasks(&a, &b);
    CHECK_EQ(a.result, 0);
    CHECK_EQ(b.result, 0);
    world_close(&world);
}

/* A line of plain text, and what follows it in the same write belongs to the handshake. */
static int upgrade_client(struct side *side)
{
    char line[32];
    CHECK(hkt_stream_read_line(side->stream, line, sizeof line) > 0);
    CHECK_STR(line, "220 ready\n");
    CHECK_EQ(hkt_stream_set_write_buffer(side->stream, 100), 0);
    CHECK_EQ(hkt_stream_write(side->stream, "STARTTLS\n", 9), 0);
    return greet(side);
}

static int upgrade_server(struct side *side)
{
    char line[32];
    CHECK_EQ(hkt_stream_write(side->stream, "220 ready\n", 10), 0);
    /* The client sends its hello right behind the line: until it is there */
    int there = 0;
    while (there <= 9) {
        CHECK_EQ(hkt_sleep(0.0001), 0);
        CHECK_EQ(ioctl(hkt_stream_fd(side->stream), FIONREAD, &there), 0);
    }
    CHECK(hkt_stream_read_line(side->stream, line, sizeof line) > 0);
    CHECK_STR(line, "STARTTLS\n");
    CHECK_EQ(hkt_stream_taken(side->stream), 9);
    return greet(side);
}

TEST(a_stream_begins_to_speak_tls_after_a_line)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = world_client(&world), *server = world_server(&world);
    both_ways(&(struct side){ .body = upgrade_client, .tls = client, .name = "example.org" },
              &(struct side){ .body = upgrade_server, .tls = server }, NULL);
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(&world);
}

/* Lines and a look ahead, in the layer's bytes. */
static int say_lines(struct side *side)
{
    CHECK_EQ(shake_hands(side), 0);
    struct iovec pieces[4] = {
        { (char *)"one\ntw", 6 }, { NULL, 0 }, { (char *)"o\n", 2 }, { (char *)"three", 5 }
    };
    CHECK_EQ(hkt_stream_write_many(side->stream, pieces, 4), 0);
    CHECK_EQ(hkt_stream_printf(side->stream, "%d\n", 4), 0);
    CHECK_EQ(hkt_stream_written(side->stream), 15);
    return 0; /* and takes leave */
}

static int hear_lines(struct side *side)
{
    char text[32];
    static const char *const lines[] = { "one\n", "two\n", "three4\n" };
    CHECK_EQ(shake_hands(side), 0);
    CHECK_EQ(hkt_stream_peek(side->stream, text, 2), 2);
    for (int i = 0; i < 3; i++) {
        CHECK(hkt_stream_read_line(side->stream, text, sizeof text) > 0);
        CHECK_STR(text, lines[i]);
    }
    CHECK_EQ(hkt_stream_read_line(side->stream, text, sizeof text), 0);
    CHECK_EQ(hkt_stream_read(side->stream, text, 1), 0);
    return 0;
}

TEST(lines_come_through_and_the_end_is_told)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = world_client(&world), *server = world_server(&world);
    both_ways(&(struct side){ .body = say_lines, .tls = client, .name = "example.org" },
              &(struct side){ .body = hear_lines, .tls = server }, NULL);
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(&world);
}

static int echo(hkt_stream *client, void *arg)
{
    char data[1000];
    int n;
    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0) {
        int err = hkt_stream_write(client, data, (size_t)n);
        if (err < 0)
            return err;
    }
    return n;
}

struct caller_of {
    hkt_tls *tls;
    int port;
};

/* The certificate is for 127.0.0.1, the host's own name, too. */
static int talk_to_server(void *arg)
{
    struct caller_of *to = arg;
    hkt_stream *stream;
    hkt_tls_info info;
    char word[6] = "";
    hkt_connect_options options = { .tls = to->tls };
    CHECK_EQ(hkt_stream_connect(&stream, "127.0.0.1", to->port, &options), 0);
    CHECK_EQ(hkt_stream_tls_info(stream, &info), 0);
    CHECK_STR(info.peer, "CN=example.org");
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(hkt_stream_write(stream, "hello", 5), 0);
        CHECK_EQ(hkt_stream_read_exactly(stream, word, 5, NULL), 0);
        CHECK_STR(word, "hello");
    }
    CHECK_EQ(hkt_stream_close(stream), 0);
    hkt_stream_destroy(stream);
    return 0;
}

static int serve_and_call(void *arg)
{
    const struct world *world = arg;
    hkt_server *server;
    hkt_server_options options = { .tls = world_server(world) };
    struct caller_of callers[10];
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, &options), 0);
    hkt_tls_destroy(options.tls);
    hkt_tls *client = world_client(world);
    for (int i = 0; i < 10; i++)
        callers[i] = (struct caller_of){ client, hkt_server_port(server) };
    CHECK_EQ(hkt_gather(talk_to_server, callers, 10, sizeof *callers), 0);
    hkt_tls_destroy(client);
    CHECK_EQ(hkt_server_close(server, 5.0), 0);
    hkt_server_destroy(server);
    return 0;
}

TEST(a_server_with_tls_serves_tasks_of_its_loop)
{
    struct world world;
    world_open(&world);
    CHECK_EQ(hkt_run(serve_and_call, &world), 0);
    world_close(&world);
}

TEST(a_server_with_tls_serves_threads)
{
    struct world world;
    world_open(&world);
    (void)serve_and_call(&world);
    world_close(&world);
}
#else
TEST(a_build_without_openssl_says_so)
{
    hkt_tls *tls;
    CHECK(!hkt_tls_available());
    CHECK_EQ(hkt_tls_client(&tls, NULL), -ENOSYS);
    CHECK_EQ(strncmp(hkt_sentence(-ENOSYS), "this build has no TLS: ", 23), 0);
    CHECK_EQ(hkt_tls_server(&tls, NULL), -ENOSYS);
    hkt_tls_destroy(NULL);
}
#endif
