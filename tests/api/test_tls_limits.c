/* SPDX-License-Identifier: MIT */
/* The edges of TLS: arguments and files that are not good, deadlines and cancels in a handshake,
 * memory that is refused, and the command openssl on the other side. */
#include <hocket.h>

#include "test.h"

#ifdef HAVE_OPENSSL
#include <openssl/crypto.h>
#include <spawn.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tls_pairs.h"

static void refuse(bool server, hkt_tls_options options, int err, const char *begins)
{
    hkt_tls *tls = (hkt_tls *)1;
    errno = 4711;
    CHECK_EQ((server ? hkt_tls_server : hkt_tls_client)(&tls, &options), err);
    CHECK_EQ(errno, 4711);
    CHECK(tls == NULL);
    if (begins && strncmp(hkt_sentence(err), begins, strlen(begins)) != 0)
        test_fail(__FILE__, __LINE__, "%s", hkt_sentence(err));
    CHECK_EQ(ERR_peek_error(), 0);
}

TEST(files_that_are_not_good_are_named)
{
    struct world world;
    char path[600], sentence[700];
    world_open(&world);
    const char *good = world.server.file;
    snprintf(path, sizeof path, "%s/none.pem", tls_folder);
    snprintf(sentence, sizeof sentence, "TLS: cannot read the certificate %s", path);
    refuse(true, (hkt_tls_options){ .certificate = path }, -ENOENT, sentence);
    refuse(true, (hkt_tls_options){ .certificate = good, .key = path }, -ENOENT,
           "TLS: cannot read the key ");
    refuse(false, (hkt_tls_options){ .authorities = path }, -ENOENT,
           "TLS: cannot read the authorities ");
    refuse(true, (hkt_tls_options){ .certificate = good, .authorities = path, .ask_client = true },
           -ENOENT, NULL);
    refuse(true, (hkt_tls_options){ .certificate = good, .key = world.authority.key_file },
           -EKEYREJECTED, "TLS: the key in ");
    refuse(true, (hkt_tls_options){ .certificate = world.server.key_file }, -EBADMSG,
           "TLS: there is no good certificate in ");
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs("nothing of use\n", file) >= 0);
    fclose(file);
    refuse(true, (hkt_tls_options){ .certificate = path }, -EBADMSG, NULL);
    refuse(true, (hkt_tls_options){ .certificate = good, .key = path }, -EBADMSG, NULL);
    refuse(false, (hkt_tls_options){ .authorities = path }, -EBADMSG, NULL);
    world_close(&world);
}

/* A key behind a passphrase: the terminal is not asked for it. */
TEST(a_key_with_a_passphrase_is_not_good)
{
    struct world world;
    char path[600];
    world_open(&world);
    snprintf(path, sizeof path, "%s/locked.pem", tls_folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK_EQ(PEM_write_PKCS8PrivateKey(file, world.server.key, EVP_aes_128_cbc(), "secret", 6, NULL,
                                       NULL),
             1);
    fclose(file);
    refuse(true, (hkt_tls_options){ .certificate = world.server.file, .key = path }, -EBADMSG,
           "TLS: there is no good key in ");
    world_close(&world);
}

TEST(arguments_out_of_range)
{
    struct world world;
    world_open(&world);
    hkt_tls_options client = { .authorities = world.authority.file };
    char many[600] = "a";
    refuse(true, (hkt_tls_options){ .certificate = NULL }, -EINVAL,
           "a TLS server needs a certificate");
    refuse(false, (hkt_tls_options){ .key = world.server.file }, -EINVAL, NULL);
    client.protocols = "";
    refuse(false, client, -EINVAL, NULL);
    client.protocols = "h2,";
    refuse(false, client, -EINVAL, NULL);
    client.protocols = "a-name-that-is-longer-than-thirty-one";
    refuse(false, client, -EINVAL, NULL);
    while (strlen(many) < 500)
        strcat(many, ",abcdefgh");
    client.protocols = many;
    refuse(false, client, -EINVAL, NULL);
    hkt_tls_destroy(NULL);

    hkt_tls *tls = world_client(&world);
    hkt_stream *streams[2];
    hkt_tls_info info;
    char name[400];
    memset(name, 'a', sizeof name);
    name[399] = 0;
    CHECK_EQ(hkt_stream_pair(streams), 0);
    CHECK_EQ(hkt_stream_tls_info(streams[0], &info), -EINVAL);
    CHECK_EQ(hkt_stream_start_tls(streams[0], NULL, "example.org"), -EINVAL);
    CHECK_EQ(hkt_stream_start_tls(streams[0], tls, NULL), -EINVAL);
    CHECK_EQ(hkt_stream_start_tls(streams[0], tls, ""), -EINVAL);
    CHECK_EQ(hkt_stream_start_tls(streams[0], tls, name), -EINVAL);
    CHECK_EQ(hkt_stream_write(streams[0], "x", 1), 0); /* nothing has begun */
    CHECK_EQ(hkt_stream_close(streams[0]), 0);
    CHECK_EQ(hkt_stream_start_tls(streams[0], tls, "example.org"), -ESHUTDOWN);
    hkt_stream_destroy(streams[0]);
    hkt_stream_destroy(streams[1]);
    hkt_tls_destroy(tls);
    world_close(&world);
}

/* The other side says nothing. */
static int hang(struct side *side)
{
    char data[600];
    int n;
    while ((n = hkt_stream_read(side->stream, data, sizeof data)) > 0)
        ;
    return n;
}

static int give_up(struct side *side)
{
    hkt_scope scope;
    char byte;
    double begun = hkt_monotonic();
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(hkt_stream_start_tls(side->stream, side->tls, side->name), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begun >= 0.05);
    CHECK_EQ(hkt_stream_write(side->stream, "secret", 6), -EPROTO);
    CHECK_EQ(hkt_stream_read(side->stream, &byte, 1), -EPROTO);
    CHECK_EQ(hkt_stream_close(side->stream), 0);
    return 0;
}

TEST(a_handshake_that_hangs_ends_with_the_scope)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = world_client(&world);
    for (int way = 0; way < 2; way++) {
        struct side a = { .body = give_up, .tls = client, .name = "example.org" };
        struct side b = { .body = hang };
        (way ? run_in_tasks : run_in_threads)(&a, &b);
        CHECK_EQ(a.result, 0);
        CHECK_EQ(b.result, 0);
    }
    hkt_tls_destroy(client);
    world_close(&world);
}

/* Two begin, and a reader is in it: one handshake at a time. */
static int start_again(void *arg)
{
    struct side *side = arg;
    int err = hkt_stream_start_tls(side->stream, side->tls, side->name);
    CHECK_EQ(err, -EBUSY);
    return 0;
}

static int start_twice(struct side *side)
{
    hkt_task *other = must_start(start_again, side);
    int err = shake_hands(side);
    CHECK_EQ(hkt_future_finish(other), 0);
    CHECK_EQ(start_again(side), 0);
    return err;
}

TEST(one_handshake_at_a_time_and_one_in_all)
{
    struct world world;
    world_open(&world);
    struct side a = { .body = start_twice, .name = "example.org" }, b = { .body = shake_hands };
    a.tls = world_client(&world);
    b.tls = world_server(&world);
    run_in_tasks(&a, &b);
    CHECK_EQ(a.result, 0);
    CHECK_EQ(b.result, 0);
    hkt_tls_destroy(a.tls);
    hkt_tls_destroy(b.tls);
    world_close(&world);
}

/* The n-th allocation from now on is refused, and no other, in threads that are in for it. */
static _Atomic long until_refused;
static _Thread_local bool in_for_it;

static bool refused(void)
{
    return in_for_it && atomic_fetch_sub(&until_refused, 1) == 1;
}

static void *of_hocket(void *context, size_t size)
{
    (void)context;
    return refused() ? NULL : malloc(size);
}

static void free_of_hocket(void *context, void *memory, size_t size)
{
    (void)context, (void)size;
    free(memory);
}

static void *of_openssl(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return refused() ? NULL : malloc(size);
}

static void *more_of_openssl(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return refused() ? NULL : realloc(memory, size);
}

static void free_of_openssl(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

static int greet_in_pieces(struct side *side)
{
    struct iovec pieces[2] = { { (char *)"hel", 3 }, { (char *)"lo", 2 } };
    char word[8] = "";
    in_for_it = true;
    int err = shake_hands(side);
    if (err == 0)
        err = hkt_stream_write_many(side->stream, pieces, 2);
    if (err == 0)
        err = hkt_stream_read_exactly(side->stream, word, 5, NULL);
    CHECK(err < 0 || strcmp(word, "hello") == 0);
    if (err == 0)
        err = hkt_stream_close(side->stream);
    in_for_it = false;
    return err;
}

/* All of it, from the contexts to the end: true if nothing was refused. Else each side fails, or
 * does not, but never hangs, and what it says is right. */
static bool all_of_it(const struct world *world, long n)
{
    struct side a = { .body = greet_in_pieces, .name = "example.org" };
    struct side b = { .body = greet_in_pieces };
    hkt_tls_options client = { .authorities = world->authority.file, .protocols = "h2" };
    hkt_tls_options server = { .certificate = world->server.file, .protocols = "h2" };
    atomic_store(&until_refused, n);
    in_for_it = true;
    int err = hkt_tls_client(&a.tls, &client);
    if (err == 0)
        err = hkt_tls_server(&b.tls, &server);
    in_for_it = false;
    CHECK(err == 0 || err == -ENOMEM || err == -EBADMSG || err == -ENOENT);
    CHECK_EQ(ERR_peek_error(), 0);
    if (err == 0)
        run_in_threads(&a, &b);
    bool was_refused = atomic_exchange(&until_refused, 0) <= 0;
    if (!was_refused && (err || a.result || b.result))
        test_fail(__FILE__, __LINE__, "%d; %s; %s", err, a.sentence, b.sentence);
    hkt_tls_destroy(a.tls);
    hkt_tls_destroy(b.tls);
    return !was_refused;
}

TEST_TIMEOUT(each_allocation_of_ours_may_be_refused, 60)
{
    struct world world;
    hkt_allocator allocator = { .allocate = of_hocket, .release = free_of_hocket };
    CHECK_EQ(hkt_set_allocator(&allocator), 0);
    world_open(&world);
    CHECK(all_of_it(&world, 1000));
    long n = 1;
    while (!all_of_it(&world, n))
        n++;
    CHECK(n >= 6); /* two contexts, sessions, two links, the room for pieces */
    world_close(&world);
}

TEST_TIMEOUT(each_allocation_of_openssl_may_be_refused, 120)
{
    struct world world;
    uint64_t state = test_seed();
    CHECK_EQ(CRYPTO_set_mem_functions(of_openssl, more_of_openssl, free_of_openssl), 1);
    world_open(&world);
    CHECK(all_of_it(&world, 1000000));
    for (long n = 1; !all_of_it(&world, n);) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        n += 1 + (long)((state >> 33) % (uint64_t)(300 / test_scale()));
    }
    CHECK(all_of_it(&world, 1000000));
    world_close(&world);
}

/* The command on the other side. */
static pid_t start_command(const char *const *words, int in, int out)
{
    extern char **environ;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    CHECK_EQ(posix_spawnp(&pid, words[0], &actions, NULL, (char **)(uintptr_t)words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static bool command_is_there(void)
{
    return system("command -v openssl >/dev/null 2>&1") == 0;
}

static int answer(hkt_stream *client, void *arg)
{
    char line[100];
    int n = hkt_stream_read_line(client, line, sizeof line);
    (void)arg;
    return n <= 0 ? n : hkt_stream_printf(client, "you said %s", line);
}

TEST(the_command_s_client_is_served)
{
    struct world world;
    hkt_server *server;
    hkt_stream *in, *out;
    int ends[2][2], status;
    char address[32], line[200] = "";
    if (!command_is_there())
        TEST_SKIP("there is no command openssl");
    world_open(&world);
    hkt_server_options options = { .tls = world_server(&world) };
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, answer, NULL, &options), 0);
    hkt_tls_destroy(options.tls);
    snprintf(address, sizeof address, "127.0.0.1:%d", hkt_server_port(server));
    const char *words[] = { "openssl", "s_client",           "-quiet",   "-verify_return_error",
                            "-CAfile", world.authority.file, "-connect", address,
                            NULL };
    CHECK(pipe2(ends[0], O_CLOEXEC) == 0 && pipe2(ends[1], O_CLOEXEC) == 0);
    pid_t pid = start_command(words, ends[0][0], ends[1][1]);
    close(ends[0][0]);
    close(ends[1][1]);
    CHECK_EQ(hkt_stream_adopt(&out, ends[0][1], false), 0);
    CHECK_EQ(hkt_stream_adopt(&in, ends[1][0], false), 0);
    CHECK_EQ(hkt_stream_write(out, "good day\n", 9), 0);
    CHECK(hkt_stream_read_line(in, line, sizeof line) > 0);
    CHECK_STR(line, "you said good day\n");
    hkt_stream_destroy(out);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    hkt_stream_destroy(in);
    CHECK_EQ(hkt_server_close(server, 5), 0);
    hkt_server_destroy(server);
    world_close(&world);
}

/* s_server -rev sends each line back, the last letter first. It says nothing of its port: one
 * that was free. */
static int free_port(void)
{
    hkt_listener *listener;
    hkt_address address;
    CHECK_EQ(hkt_listener_create(&listener, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    hkt_listener_destroy(listener);
    return hkt_address_port(&address);
}

TEST(the_command_s_server_serves)
{
    struct world world;
    hkt_stream *stream;
    char port[16], line[100] = "";
    int status, null = open("/dev/null", O_RDWR | O_CLOEXEC), err;
    if (!command_is_there())
        TEST_SKIP("there is no command openssl");
    world_open(&world);
    hkt_connect_options options = { .tls = world_client(&world) };
    snprintf(port, sizeof port, "%d", free_port());
    const char *words[] = { "openssl", "s_server",        "-rev", "-accept",         port,
                            "-cert",   world.server.file, "-key", world.server.file, NULL };
    pid_t pid = start_command(words, null, null);
    while ((err = hkt_stream_connect(&stream, "127.0.0.1", atoi(port), &options)) == -ECONNREFUSED)
        CHECK_EQ(hkt_sleep(0.005), 0);
    CHECK_EQ(err, 0);
    CHECK_EQ(hkt_stream_write(stream, "good day\n", 9), 0);
    CHECK(hkt_stream_read_line(stream, line, sizeof line) > 0);
    CHECK_STR(line, "yad doog\n");
    hkt_stream_destroy(stream);
    kill(pid, SIGTERM);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    close(null);
    hkt_tls_destroy(options.tls);
    world_close(&world);
}
#else
TEST(without_openssl_there_is_nothing_to_limit)
{
    hkt_tls *tls = NULL;
    CHECK_EQ(hkt_tls_client(&tls, NULL), -ENOSYS);
    CHECK(tls == NULL);
}
#endif
