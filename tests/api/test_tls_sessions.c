/* SPDX-License-Identifier: MIT */
/* Sessions that many take up at the same time, by way of servers: of some the connection is cut off. */
#ifdef HAVE_OPENSSL
#include "tls_pairs.h"

static int echo(hkt_stream *client, void *arg)
{
    (void)arg;
    return hkt_stream_copy(client, client, NULL);
}

struct crowd {
    hkt_tls *tls;
    int port;
    bool cut_off; /* each tenth */
};

struct guest {
    struct crowd *crowd;
    int number;
    bool resumed;
};

static int visit(void *arg)
{
    struct guest *guest = arg;
    hkt_stream *stream;
    hkt_tls_info info;
    char back[8];
    hkt_connect_options options = { .tls = guest->crowd->tls };
    CHECK_EQ(hkt_stream_connect(&stream, "127.0.0.1", guest->crowd->port, &options), 0);
    CHECK_EQ(hkt_stream_tls_info(stream, &info), 0);
    guest->resumed = info.resumed;
    CHECK_EQ(hkt_stream_write(stream, "hello", 5), 0);
    CHECK_EQ(hkt_stream_read_exactly(stream, back, 5, NULL), 0);
    if (guest->crowd->cut_off && guest->number % 10 == 0)
        hkt_stream_abort(stream);
    hkt_stream_destroy(stream);
    return 0;
}

#define GUESTS 60

static int all_come(void *arg)
{
    struct crowd *crowd = arg;
    struct guest first = { .crowd = crowd, .number = 1 }, guests[GUESTS];
    CHECK_EQ(visit(&first), 0);
    CHECK(!first.resumed);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < GUESTS; i++)
            guests[i] = (struct guest){ .crowd = crowd, .number = i };
        CHECK_EQ(hkt_map(hkt_executor_current(), visit, HKT_ARRAY(guests)), 0);
        for (int i = 0; i < GUESTS; i++)
            CHECK(guests[i].resumed);
    }
    return 0;
}

static void come(bool cut_off, bool on_threads)
{
    struct world world;
    hkt_server *server;
    world_open(&world);
    hkt_tls *ours = must_server(&(hkt_tls_options){ .certificate = world.server.file });
    struct crowd crowd = { .cut_off = cut_off };
    crowd.tls = must_client(&(hkt_tls_options){ .authorities = world.authority.file });
    CHECK_EQ(
        hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, &(hkt_server_options){ .tls = ours }),
        0);
    crowd.port = hkt_server_port(server);
    if (on_threads)
        CHECK_EQ(all_come(&crowd), 0);
    else
        CHECK_EQ(hkt_run(all_come, &crowd), 0);
    hkt_server_destroy(server);
    hkt_tls_destroy(ours);
    hkt_tls_destroy(crowd.tls);
    world_close(&world);
}

TEST_TIMEOUT(all_tasks_of_a_loop_take_up_the_last_session, 60)
{
    come(false, false);
}

TEST_TIMEOUT(all_threads_take_up_the_last_session, 60)
{
    come(false, true);
}

TEST_TIMEOUT(who_is_cut_off_does_not_spoil_it_for_the_others, 60)
{
    come(true, false);
    come(true, true);
}

static int say_names(void *arg)
{
    struct world *world = arg;
    hkt_stream *ends[2];
    hkt_tls *client = must_client(&(hkt_tls_options){ .authorities = world->authority.file });
    CHECK_EQ(hkt_stream_pair(ends), 0);
    CHECK_EQ(hkt_stream_start_tls(ends[0], client, ".example.org"), -EINVAL);
    CHECK_EQ(hkt_stream_start_tls(ends[0], client, ""), -EINVAL);
    CHECK_EQ(hkt_stream_start_tls(ends[0], client, NULL), -EINVAL);
    for (int i = 0; i < 2; i++)
        hkt_stream_destroy(ends[i]);
    hkt_tls_destroy(client);
    return 0;
}

TEST(a_name_that_would_stand_for_others_is_refused)
{
    struct world world;
    world_open(&world);
    CHECK_EQ(say_names(&world), 0);
    world_close(&world);
}
#else
#include <hocket.h>

#include "test.h"

TEST(a_build_without_openssl_has_no_sessions)
{
    CHECK(!hkt_tls_available());
}
#endif
