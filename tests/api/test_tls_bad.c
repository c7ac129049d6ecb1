/* SPDX-License-Identifier: MIT */
/* What goes wrong in TLS, and what is said of it: certificates, peers that speak something else
 * or go away, files. Memory is in test_tls_bad_memory.c. */
#include <hocket.h>

#include "test.h"

#ifdef HAVE_OPENSSL
#include <sys/ioctl.h>

#include "tls_pairs.h"

/* What a handshake between these two comes to, and what the client says of it. NULL: it is not
 * looked at. */
struct end {
    const char *name;
    int client, server;
    const char *sentence, *server_sentence;
};

static void check_end(const struct side *client, const struct side *server, struct end end)
{
    if (client->result != end.client || server->result != end.server)
        test_fail(__FILE__, __LINE__, "client %d: %s; server %d: %s", client->result,
                  client->sentence, server->result, server->sentence);
    if (end.sentence)
        CHECK_STR(client->sentence, end.sentence);
    if (end.server_sentence)
        CHECK_STR(server->sentence, end.server_sentence);
}

/* Runs greeters; their contexts are given back, and the world with them. */
static void must_end(struct world *world, hkt_tls *client, hkt_tls *server, struct end end)
{
    for (int way = 0; way < 2; way++) {
        struct side a = { .body = greet, .tls = client, .name = end.name };
        struct side b = { .body = greet, .tls = server };
        (way ? run_in_tasks : run_in_threads)(&a, &b);
        check_end(&a, &b, end);
    }
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(world);
}

TEST(a_certificate_for_another_name_is_rejected)
{
    struct world world;
    world_open(&world);
    must_end(
        &world, world_client(&world), world_server(&world),
        (struct end){ .name = "example.com",
                      .client = -EKEYREJECTED,
                      .server = -EKEYREJECTED,
                      .sentence = "the certificate that example.com showed is for another name" });
}

TEST(a_certificate_for_another_number_is_rejected)
{
    struct world world;
    world_open(&world);
    must_end(
        &world, world_client(&world), world_server(&world),
        (struct end){ .name = "127.0.0.2",
                      .client = -EKEYREJECTED,
                      .server = -EKEYREJECTED,
                      .sentence = "the certificate that 127.0.0.2 showed is for another name" });
}

static void with_identity(struct identity_options options, bool of_authority, const char *sentence)
{
    struct world world;
    world_open(&world);
    options.subject = "example.org";
    options.names = "DNS:example.org";
    options.issuer = of_authority ? &world.authority : NULL;
    struct identity identity = make_identity(options);
    hkt_tls *server = must_server(&(hkt_tls_options){ .certificate = identity.file });
    free_identity(&identity);
    must_end(&world, world_client(&world), server,
             (struct end){ .name = "example.org",
                           .client = -EKEYREJECTED,
                           .server = -EKEYREJECTED,
                           .sentence = sentence });
}

TEST(an_expired_certificate_is_rejected)
{
    with_identity((struct identity_options){ .begins = -10, .ends = -5 }, true,
                  "the certificate of example.org has expired");
}

TEST(a_certificate_of_the_future_is_rejected)
{
    with_identity((struct identity_options){ .begins = 5, .ends = 10 }, true,
                  "the certificate of example.org is not valid yet");
}

TEST(a_certificate_signed_by_itself_is_rejected)
{
    with_identity((struct identity_options){ .rsa = false }, false,
                  "the certificate of example.org is signed by itself");
}

TEST(a_certificate_of_an_unknown_authority_is_rejected)
{
    struct world world;
    world_open(&world);
    /* with the authorities of the system */
    must_end(&world, must_client(NULL), world_server(&world),
             (struct end){
                 .name = "example.org",
                 .client = -EKEYREJECTED,
                 .server = -EKEYREJECTED,
                 .sentence = "the certificate of example.org is signed by nobody we believe" });
}

static hkt_tls *asking_server(const struct world *world)
{
    return must_server(&(hkt_tls_options){ .certificate = world->server.file,
                                           .authorities = world->authority.file,
                                           .ask_client = true });
}

/* TLS 1.3 tells the client when it reads first: its own handshake is done by then. */
TEST(a_client_without_certificate_is_rejected_by_who_asks)
{
    struct world world;
    world_open(&world);
    must_end(&world, world_client(&world), asking_server(&world),
             (struct end){ .name = "example.org",
                           .client = -EKEYREJECTED,
                           .server = -EKEYREJECTED,
                           .sentence = "example.org wants a certificate of ours",
                           .server_sentence = "the client showed no certificate" });
}

TEST(a_client_with_a_certificate_of_nobody_is_rejected)
{
    struct world world;
    world_open(&world);
    struct identity eve = make_identity((struct identity_options){ .subject = "Eve" });
    hkt_tls *client = must_client(
        &(hkt_tls_options){ .authorities = world.authority.file, .certificate = eve.file });
    free_identity(&eve);
    must_end(
        &world, client, asking_server(&world),
        (struct end){ .name = "example.org",
                      .client = -EKEYREJECTED,
                      .server = -EKEYREJECTED,
                      .server_sentence = "the certificate of the client is signed by itself" });
}

/* The other side says this, in plain bytes, and then waits for the end, or ends. */
struct speaker {
    const char *text;
    size_t size;
    bool goes;
};

static int speak(struct side *side)
{
    const struct speaker *speaker = side->arg;
    char data[512];
    CHECK_EQ(hkt_stream_write(side->stream, speaker->text, speaker->size), 0);
    while (!speaker->goes && hkt_stream_read(side->stream, data, sizeof data) > 0)
        ;
    return 0;
}

/* After a failed handshake the stream is closed, and nothing else. */
static int fail_to_greet(struct side *side)
{
    char byte;
    int err = shake_hands(side);
    snprintf(side->sentence, sizeof side->sentence, "%s", hkt_sentence(err));
    CHECK(err < 0);
    CHECK_EQ(hkt_stream_tls_info(side->stream, &side->info), -EINVAL);
    CHECK(hkt_stream_read(side->stream, &byte, 1) < 0);
    CHECK(hkt_stream_read_nowait(side->stream, &byte, 1) < 0);
    CHECK(hkt_stream_write(side->stream, "secret", 6) < 0);
    CHECK_EQ(hkt_stream_start_tls(side->stream, side->tls, side->name), -EBUSY);
    CHECK_EQ(hkt_stream_close(side->stream), 0);
    return hkt_fail(err, "%s", side->sentence);
}

static void hear(struct speaker speaker, bool be_server, int err, const char *sentence)
{
    struct world world;
    world_open(&world);
    struct side a = { .body = fail_to_greet }, b = { .body = speak };
    b.arg = &speaker;
    a.tls = be_server ? world_server(&world) : world_client(&world);
    a.name = be_server ? NULL : "example.org";
    for (int way = 0; way < 2; way++) {
        struct side us = a, them = b;
        (way ? run_in_tasks : run_in_threads)(&us, &them);
        if (us.result != err)
            test_fail(__FILE__, __LINE__, "%d: %s", us.result, us.sentence);
        if (sentence)
            CHECK_STR(us.sentence, sentence);
    }
    hkt_tls_destroy(a.tls);
    world_close(&world);
}

TEST(a_server_of_something_else_does_not_speak_tls)
{
    hear((struct speaker){ .text = "220 mail.example.org ready\r\n", .size = 28 }, false, -EPROTO,
         "example.org does not speak TLS: wrong version number");
}

TEST(plain_http_is_no_tls)
{
    hear((struct speaker){ .text = "GET / HTTP/1.0\r\n\r\n", .size = 18 }, true, -EPROTO,
         "the client does not speak TLS: http request");
}

TEST(garbage_is_no_tls)
{
    static char garbage[4096];
    uint64_t state = test_seed();
    for (size_t i = 0; i < sizeof garbage; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        garbage[i] = (char)(state >> 56);
    }
    garbage[0] = (char)0xee;
    hear((struct speaker){ .text = garbage, .size = sizeof garbage }, true, -EPROTO, NULL);
}

TEST(garbage_in_a_record_is_no_handshake)
{
    hear((struct speaker){ .text = "\x16\x03\x01\x00\x05hello", .size = 10 }, true, -EPROTO, NULL);
}

TEST(who_goes_before_the_handshake_is_gone)
{
    hear((struct speaker){ .text = "", .size = 0, .goes = true }, true, -ENODATA,
         "the client went away before TLS was there");
}

TEST(who_goes_in_a_record_is_gone)
{
    hear((struct speaker){ .text = "\x16\x03\x01\x40", .size = 4, .goes = true }, true, -ENODATA,
         "the client went away before TLS was there");
}

static void speak_old_tls(struct raw *raw, SSL *ssl)
{
    (void)raw;
    SSL_set_security_level(ssl, 0);
    CHECK(SSL_do_handshake(ssl) <= 0);
    ERR_clear_error();
}

TEST(old_versions_are_not_spoken)
{
    struct world world;
    world_open(&world);
    struct raw raw = { .body = speak_old_tls, .version = TLS1_1_VERSION };
    hkt_tls *server = world_server(&world);
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, server, NULL), -EPROTO);
    CHECK_STR(hkt_sentence(-EPROTO), "TLS with the client failed: unsupported protocol");
    raw_end(&raw);
    hkt_tls_destroy(server);
    world_close(&world);
}

/* The other side says a word, and then goes without a word. */
static void go_without_leave(struct raw *raw, SSL *ssl)
{
    CHECK_EQ(SSL_write(ssl, "word", 4), 4);
    (void)raw;
    SSL_set_quiet_shutdown(ssl, 1);
}

TEST(an_end_without_leave_may_be_a_cut)
{
    struct world world;
    char data[16];
    world_open(&world);
    hkt_tls *client = world_client(&world);
    struct raw raw = { .body = go_without_leave, .identity = &world.server };
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, client, "example.org"), 0);
    CHECK_EQ(hkt_stream_read_exactly(raw.stream, data, 4, NULL), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_stream_read(raw.stream, data, sizeof data), -ENODATA);
        CHECK_STR(hkt_sentence(-ENODATA), "example.org went away without taking leave (TLS)");
    }
    CHECK(hkt_stream_write(raw.stream, "x", 1) < 0);
    CHECK_EQ(hkt_stream_close(raw.stream), 0);
    raw_end(&raw);
    hkt_tls_destroy(client);
    world_close(&world);
}

static void take_leave(struct raw *raw, SSL *ssl)
{
    char byte;
    (void)raw;
    CHECK_EQ(SSL_write(ssl, "word", 4), 4);
    CHECK_EQ(SSL_shutdown(ssl), 0);
    CHECK_EQ(SSL_read(ssl, &byte, 1), 1); /* the other direction is open */
    CHECK_EQ(byte, 'x');
}

TEST(an_end_with_leave_is_the_end)
{
    struct world world;
    char data[16];
    world_open(&world);
    hkt_tls *client = world_client(&world);
    struct raw raw = { .body = take_leave, .identity = &world.server };
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, client, "example.org"), 0);
    CHECK_EQ(hkt_stream_read_exactly(raw.stream, data, 4, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_stream_read(raw.stream, data, sizeof data), 0);
    CHECK_EQ(hkt_stream_write(raw.stream, "x", 1), 0);
    raw_end(&raw);
    hkt_tls_destroy(client);
    world_close(&world);
}

/* A byte of a record is changed on the way. */
static void send_wrong_bytes(struct raw *raw, SSL *ssl)
{
    static const char wrong[] = "\x17\x03\x03\x00\x20 this is not what was encrypted!";
    char byte;
    CHECK_EQ(SSL_do_handshake(ssl), 1);
    CHECK_EQ(write(raw->fd, wrong, 37), 37);
    CHECK(SSL_read(ssl, &byte, 1) <= 0);
    ERR_clear_error();
}

TEST(changed_bytes_are_found_out)
{
    struct world world;
    char data[16];
    world_open(&world);
    hkt_tls *client = must_client(
        &(hkt_tls_options){ .authorities = world.authority.file, .no_tickets = true });
    struct raw raw = { .body = send_wrong_bytes, .identity = &world.server };
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, client, "example.org"), 0);
    CHECK_EQ(hkt_stream_read(raw.stream, data, sizeof data), -EPROTO);
    CHECK_STR(hkt_sentence(-EPROTO),
              "TLS with example.org failed: decryption failed or bad record mac");
    CHECK_EQ(hkt_stream_read(raw.stream, data, sizeof data), -EPROTO);
    CHECK_EQ(hkt_stream_write(raw.stream, data, 1), -EPROTO);
    raw_end(&raw);
    hkt_tls_destroy(client);
    world_close(&world);
}

static int reset(struct side *side)
{
    int err = shake_hands(side);
    char byte;
    CHECK_EQ(err, 0);
    CHECK_EQ(hkt_stream_read(side->stream, &byte, 1), 1);
    hkt_stream_abort(side->stream);
    return 0;
}

static int be_reset(struct side *side)
{
    char byte;
    CHECK_EQ(shake_hands(side), 0);
    CHECK_EQ(hkt_stream_write(side->stream, "x", 1), 0);
    CHECK_EQ(hkt_stream_read(side->stream, &byte, 1), -ECONNRESET);
    CHECK_EQ(hkt_stream_read(side->stream, &byte, 1), -ECONNRESET);
    CHECK_EQ(hkt_stream_write(side->stream, "x", 1), -EPIPE);
    CHECK_EQ(hkt_stream_close(side->stream), 0);
    return 0;
}

TEST(a_connection_that_is_reset_says_so)
{
    struct world world;
    world_open(&world);
    struct side a = { .body = be_reset, .name = "example.org" }, b = { .body = reset };
    a.tls = must_client(
        &(hkt_tls_options){ .authorities = world.authority.file, .no_tickets = true });
    b.tls = world_server(&world);
    run_in_threads(&a, &b);
    check_end(&a, &b, (struct end){ .client = 0 });
    hkt_tls_destroy(a.tls);
    hkt_tls_destroy(b.tls);
    world_close(&world);
}

/* OpenSSL's server has sent its tickets, which nobody reads; still the end is a good one. */
static void hear_a_word(struct raw *raw, SSL *ssl)
{
    char data[16];
    (void)raw;
    CHECK_EQ(SSL_accept(ssl), 1);
    CHECK_EQ(SSL_read(ssl, data, sizeof data), 4);
    int n = SSL_read(ssl, data, sizeof data);
    CHECK_EQ(SSL_get_error(ssl, n), SSL_ERROR_ZERO_RETURN);
}

TEST(a_client_that_only_writes_ends_in_good_order)
{
    struct world world;
    int there = 0;
    world_open(&world);
    hkt_tls *client = world_client(&world);
    struct raw raw = { .body = hear_a_word, .identity = &world.server };
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, client, "example.org"), 0);
    while (there == 0)
        CHECK_EQ(ioctl(hkt_stream_fd(raw.stream), FIONREAD, &there), 0);
    CHECK_EQ(hkt_stream_write(raw.stream, "word", 4), 0);
    CHECK_EQ(hkt_stream_close(raw.stream), 0);
    raw_end(&raw);
    hkt_tls_destroy(client);
    world_close(&world);
}

/* To shake hands again, with other keys, is a thing of TLS 1.2, and has been of use to attackers
 * alone. */
static void begin_anew(struct raw *raw, SSL *ssl)
{
    (void)raw;
    CHECK_EQ(SSL_write(ssl, "word", 4), 4);
    CHECK_EQ(SSL_renegotiate(ssl), 1);
    (void)SSL_do_handshake(ssl); /* sends the wish */
    char byte;
    CHECK(SSL_read(ssl, &byte, 1) <= 0);
    CHECK_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
}

TEST(nobody_shakes_hands_anew)
{
    struct world world;
    char data[16];
    world_open(&world);
    hkt_tls *server = world_server(&world);
    struct raw raw = { .body = begin_anew, .version = TLS1_2_VERSION };
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, server, NULL), 0);
    CHECK_EQ(hkt_stream_read_exactly(raw.stream, data, 4, NULL), 0);
    CHECK(hkt_stream_read(raw.stream, data, sizeof data) < 0);
    raw_end(&raw);
    hkt_tls_destroy(server);
    world_close(&world);
}
#else
TEST(a_build_without_openssl_refuses)
{
    hkt_stream *streams[2];
    hkt_tls_info info;
    CHECK_EQ(hkt_stream_pair(streams), 0);
    CHECK_EQ(hkt_stream_start_tls(streams[0], NULL, "example.org"), -ENOSYS);
    CHECK_EQ(hkt_stream_tls_info(streams[0], &info), -EINVAL);
    hkt_stream_destroy(streams[0]);
    hkt_stream_destroy(streams[1]);
}
#endif
