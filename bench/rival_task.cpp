/* SPDX-License-Identifier: MIT */
/* Boost for bench_task and bench_loop: rivals/boost-task. Fibers (where their library is found), the
 * coroutines and timers of asio, and the bare switch of fcontext. Prints what the workload measures,
 * nothing for the others.
 *
 *     boost-task fiber|asio|bare WHAT N PARAMETER */
#include <utility> /* which asio needs first */

#include <boost/asio.hpp>
#include <boost/context/detail/fcontext.hpp>

#include <semaphore.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <string>
#include <vector>

#ifdef HAVE_FIBER
#include <boost/fiber/all.hpp>
#endif

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using std::chrono::steady_clock;
using time_point = steady_clock::time_point;

enum { WARM = 3, WARM_SPAWNS = 1000, STACK = 65536 };

double each(steady_clock::duration took, long n)
{
    return static_cast<double>(std::chrono::nanoseconds(took).count()) / static_cast<double>(n);
}

void must(bool good, const char *what)
{
    if (good)
        return;
    std::fprintf(stderr, "boost-task: %s\n", what);
    std::exit(1);
}

double resident()
{
    long pages = 0;
    FILE *file = std::fopen("/proc/self/statm", "r");

    must(file && std::fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    std::fclose(file);
    return static_cast<double>(pages * sysconf(_SC_PAGESIZE));
}

double cpu_ns()
{
    timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/* By chance, from 0 to 1. */
std::vector<double> chances(long n)
{
    std::vector<double> all(static_cast<size_t>(n));
    uint64_t random = 1;

    for (double &one : all) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        one = static_cast<double>(random >> 40) / (1 << 24);
    }
    return all;
}

/* A round of sleepers, for whoever starts them and runs them until the last one says so. */
struct sleepers {
    long n, woken = 0;
    double before, bytes = 0;
    time_point began, due, asleep, ended;
    std::vector<time_point> deadlines;

    sleepers(long n, long ns_each, bool by_chance) : n(n), before(resident())
    {
        steady_clock::duration patience = std::chrono::nanoseconds(n * ns_each + 10000000);
        std::vector<double> delays = chances(n);

        deadlines.reserve(delays.size());
        due = steady_clock::now() + patience;
        for (double delay : delays)
            deadlines.push_back(due + std::chrono::nanoseconds(static_cast<int64_t>(
                                          by_chance ? delay * 1e7 * n * ns_each / 1e9 : 0)));
        began = steady_clock::now();
    }
    void all_asleep()
    {
        asleep = steady_clock::now();
        bytes = (resident() - before) / static_cast<double>(n);
    }
    bool wake()
    {
        if (++woken < n)
            return false;
        ended = steady_clock::now();
        return true;
    }
    double result() const
    {
        return asleep > due ? NAN : each((asleep - began) + (ended - due), n);
    }
};

void print_sleep(double (*round)(long, long, bool, double &), long n, long ns_each)
{
    double bytes, unused;
    double cold = round(n, ns_each, false, bytes);
    double recycled = round(n, ns_each, false, unused);

    std::printf("%f %f %f %f\n", cold, recycled, round(n, ns_each, true, unused), bytes);
}

/* asio. */

struct yields {
    long tasks, rounds;
    time_point began, ended;
};

awaitable<void> asio_yielder(yields &all, long index)
{
    auto executor = co_await asio::this_coro::executor;

    for (long i = -WARM; i < all.rounds; i++) {
        all.began = index == 0 && i == 0 ? steady_clock::now() : all.began;
        co_await asio::post(executor, use_awaitable);
    }
    if (index == all.tasks - 1)
        all.ended = steady_clock::now();
}

void asio_yield(long n, long tasks)
{
    asio::io_context loop(1);
    yields all{ tasks, n / tasks, {}, {} };

    for (long i = 0; i < tasks; i++)
        asio::co_spawn(loop, asio_yielder(all, i), asio::detached);
    loop.run();
    std::printf("%f\n", each(all.ended - all.began, all.rounds * tasks));
}

awaitable<void> asio_nothing(long &ran)
{
    ran++;
    co_return;
}

awaitable<void> asio_spawner(long n)
{
    auto executor = co_await asio::this_coro::executor;
    auto began = steady_clock::now();
    long ran = 0;

    for (long i = -WARM_SPAWNS; i < n; i++) {
        began = i == 0 ? steady_clock::now() : began;
        co_await asio::co_spawn(executor, asio_nothing(ran), use_awaitable);
    }
    must(ran == n + WARM_SPAWNS, "a coroutine was lost");
    std::printf("%f\n", each(steady_clock::now() - began, n));
}

void asio_spawn(long n)
{
    asio::io_context loop(1);

    asio::co_spawn(loop, asio_spawner(n), asio::detached);
    loop.run();
}

using timers = std::vector<asio::steady_timer>;

awaitable<void> asio_cancelled(asio::steady_timer &timer, long &ended)
{
    boost::system::error_code error;

    timer.expires_after(1h);
    co_await timer.async_wait(asio::redirect_error(use_awaitable, error));
    ended += error == asio::error::operation_aborted;
}

void asio_cancel(long n)
{
    asio::io_context loop(1);
    timers all;
    long ended = 0;

    all.reserve(static_cast<size_t>(n));
    for (long i = 0; i < n; i++)
        asio::co_spawn(loop, asio_cancelled(all.emplace_back(loop), ended), asio::detached);
    loop.poll();
    auto began = steady_clock::now();
    for (auto &timer : all)
        timer.cancel();
    loop.run();
    must(ended == n, "not all were cancelled");
    std::printf("%f\n", each(steady_clock::now() - began, n));
}

awaitable<void> asio_sleeper(sleepers &all, long index)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);

    timer.expires_at(all.deadlines[static_cast<size_t>(index)]);
    co_await timer.async_wait(use_awaitable);
    all.wake();
}

double asio_sleep_round(long n, long ns_each, bool by_chance, double &bytes)
{
    static asio::io_context loop(1);
    sleepers all(n, ns_each, by_chance);

    for (long i = 0; i < n; i++)
        asio::co_spawn(loop, asio_sleeper(all, i), asio::detached);
    loop.restart();
    loop.poll();
    all.all_asleep();
    loop.run();
    bytes = all.bytes;
    return all.result();
}

void asio_ping(long n)
{
    asio::io_context loop(1);
    auto work = asio::make_work_guard(loop);
    sem_t answered;

    sem_init(&answered, 0, 0);
    auto sender = std::async(std::launch::async, [&] {
        auto began = steady_clock::now();
        for (long i = -100; i < n; i++) {
            began = i == 0 ? steady_clock::now() : began;
            asio::post(loop, [&] { sem_post(&answered); });
            must(sem_wait(&answered) == 0, "sem_wait");
        }
        std::printf("%f\n", each(steady_clock::now() - began, n) / 1e3);
        work.reset();
    });
    loop.run();
    sender.get();
}

/* A timer, and what is to be called. */
void asio_timers(long n, bool fire)
{
    asio::io_context loop(1);
    timers all;
    std::vector<double> delays = chances(n);
    long fired = 0, cancelled = 0;

    all.reserve(delays.size());
    for (long i = 0; i < n; i++)
        all.emplace_back(loop);
    auto began = steady_clock::now();
    double cpu = cpu_ns();
    for (size_t i = 0; i < delays.size(); i++) {
        auto delay = std::chrono::nanoseconds(static_cast<int64_t>(delays[i] * 1e9));
        all[i].expires_after(fire ? delay : delay + 1h);
        all[i].async_wait(
            [&](const boost::system::error_code &error) { error ? cancelled++ : fired++; });
    }
    double set = cpu_ns();
    if (!fire)
        for (auto &timer : all)
            timer.cancel();
    loop.run();
    must((fire ? fired : cancelled) == n, "a timer was lost");
    if (fire)
        std::printf("%f %f\n", (cpu_ns() - cpu) / n, (set - cpu) / n);
    else
        std::printf("%f\n", each(steady_clock::now() - began, n));
}

void do_asio(const std::string &what, long n, long parameter)
{
    if (what == "yield")
        asio_yield(n, parameter);
    else if (what == "spawn")
        asio_spawn(n);
    else if (what == "cancel")
        asio_cancel(n);
    else if (what == "sleep")
        print_sleep(asio_sleep_round, n, parameter);
    else if (what == "ping")
        asio_ping(n);
    else if (what == "timers" || what == "fire")
        asio_timers(n, what == "fire");
}

#ifdef HAVE_FIBER
/* Fibers, on stacks of a pool, which have no guard pages. */

namespace fibers = boost::fibers;
fibers::pooled_fixedsize_stack stacks(STACK);

template <class Function> fibers::fiber start(Function function)
{
    return fibers::fiber(fibers::launch::post, std::allocator_arg, stacks, function);
}

void fiber_yield(long n, long tasks)
{
    std::vector<fibers::fiber> list;
    yields all{ tasks, n / tasks, {}, {} };

    for (long index = 0; index < tasks; index++)
        list.push_back(start([&all, index] {
            for (long i = -WARM; i < all.rounds; i++) {
                if (index == 0 && i == 0)
                    all.began = steady_clock::now();
                boost::this_fiber::yield();
            }
            if (index == all.tasks - 1)
                all.ended = steady_clock::now();
        }));
    for (auto &fiber : list)
        fiber.join();
    std::printf("%f\n", each(all.ended - all.began, all.rounds * tasks));
}

void fiber_spawn(long n)
{
    long ran = 0;

    for (long i = 0; i < WARM_SPAWNS; i++)
        start([&ran] { ran++; }).join();
    auto began = steady_clock::now();
    for (long i = 0; i < n; i++)
        start([&ran] { ran++; }).join();
    must(ran == n + WARM_SPAWNS, "a fiber was lost");
    std::printf("%f\n", each(steady_clock::now() - began, n));
}

/* One of its places stays empty. */
void fiber_queue(long n, long room)
{
    fibers::buffered_channel<long> channel(static_cast<size_t>(room > 1 ? room : 2));
    auto began = steady_clock::now();
    auto producer = start([&] {
        for (long i = 0; i < n; i++)
            channel.push(i);
    });
    auto consumer = start([&] {
        for (long i = 0; i < n; i++)
            must(channel.value_pop() == i, "wrong item");
    });

    producer.join();
    consumer.join();
    std::printf("%f\n", each(steady_clock::now() - began, n));
}

/* There is no cancel: they are told by a condition. */
void fiber_cancel(long n)
{
    std::vector<fibers::fiber> list;
    fibers::mutex mutex;
    fibers::condition_variable changed;
    bool over = false;
    long ended = 0;
    auto late = steady_clock::now() + 1h;

    for (long i = 0; i < n; i++)
        list.push_back(start([&] {
            std::unique_lock<fibers::mutex> lock(mutex);
            ended += changed.wait_until(lock, late, [&] { return over; });
        }));
    boost::this_fiber::yield();
    auto began = steady_clock::now();
    over = true; /* all are of one thread */
    changed.notify_all();
    for (auto &fiber : list)
        fiber.join();
    must(ended == n, "not all were told");
    std::printf("%f\n", each(steady_clock::now() - began, n));
}

double fiber_sleep_round(long n, long ns_each, bool by_chance, double &bytes)
{
    sleepers all(n, ns_each, by_chance);
    fibers::promise<void> over;

    for (long i = 0; i < n; i++)
        start([&all, &over, i] {
            boost::this_fiber::sleep_until(all.deadlines[static_cast<size_t>(i)]);
            if (all.wake())
                over.set_value();
        }).detach();
    boost::this_fiber::yield();
    all.all_asleep();
    over.get_future().wait();
    bytes = all.bytes;
    return all.result();
}

void do_fiber(const std::string &what, long n, long parameter)
{
    if (what == "yield")
        fiber_yield(n, parameter);
    else if (what == "spawn")
        fiber_spawn(n);
    else if (what == "queue")
        fiber_queue(n, parameter);
    else if (what == "cancel")
        fiber_cancel(n);
    else if (what == "sleep")
        print_sleep(fiber_sleep_round, n, parameter);
}
#else
void do_fiber(const std::string &, long, long)
{
}
#endif

/* A ring of contexts that switch to the next one, and no scheduler. */

namespace context = boost::context::detail;

struct place {
    context::fcontext_t where;
    place *next;
};
place *to_begin;
place home;
yields ring;

/* Who is switched to is told by whom, and writes down where that one goes on. */
void jump(place *from, place *to)
{
    context::transfer_t came = context::jump_fcontext(to->where, from);

    static_cast<place *>(came.data)->where = came.fctx;
}

void go_round(context::transfer_t came)
{
    place *self = to_begin;

    home.where = came.fctx;
    jump(self, &home);
    for (long i = 0; i < ring.rounds; i++)
        jump(self, self->next);
    jump(self, &home);
}

void do_bare(long n, long tasks)
{
    std::vector<place> places(static_cast<size_t>(tasks));

    ring = { tasks, n / tasks + WARM, {}, {} };
    for (long i = 0; i < tasks; i++) {
        auto &one = places[static_cast<size_t>(i)];
        auto *low = static_cast<char *>(std::malloc(STACK));
        one.next = &places[static_cast<size_t>((i + 1) % tasks)];
        one.where = context::make_fcontext(low + STACK, STACK, go_round);
        to_begin = &one;
        jump(&home, &one);
    }
    auto began = steady_clock::now();
    jump(&home, &places[0]);
    std::printf("%f\n", each(steady_clock::now() - began, ring.rounds * tasks));
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    std::string engine = argv[1], what = argv[2];
    long n = std::atol(argv[3]), parameter = std::atol(argv[4]);

    if (engine == "asio")
        do_asio(what, n, parameter);
    else if (engine == "fiber")
        do_fiber(what, n, parameter);
    else if (what == "yield")
        do_bare(n, parameter);
    return 0;
}
