/* SPDX-License-Identifier: MIT */
/* Boost's asio as an echo server for bench_io, where a compiler knows coroutines: rivals/asio-echo.
 * Prints its port.
 *
 *     asio-echo coroutine|callback */
#include <utility> /* which asio needs first */

#include <boost/asio.hpp>

#include <cstdio>
#include <memory>
#include <string>

namespace
{

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

enum { BUFFER = 1024 };

awaitable<void> echo(tcp::socket client)
{
    char data[BUFFER];

    try {
        for (;;) {
            std::size_t n = co_await client.async_read_some(asio::buffer(data), use_awaitable);
            co_await asio::async_write(client, asio::buffer(data, n), use_awaitable);
        }
    } catch (const boost::system::system_error &) {
        /* It has gone. */
    }
}

awaitable<void> accept_clients(tcp::acceptor &acceptor)
{
    for (;;) {
        tcp::socket client = co_await acceptor.async_accept(use_awaitable);
        client.set_option(tcp::no_delay(true));
        asio::co_spawn(acceptor.get_executor(), echo(std::move(client)), asio::detached);
    }
}

class session : public std::enable_shared_from_this<session>
{
  public:
    explicit session(tcp::socket client) : client(std::move(client))
    {
    }
    void read()
    {
        client.async_read_some(asio::buffer(data),
                               [self = shared_from_this()](error_code err, std::size_t n) {
                                   if (!err)
                                       self->write(n);
                               });
    }

  private:
    void write(std::size_t n)
    {
        asio::async_write(client, asio::buffer(data, n),
                          [self = shared_from_this()](error_code err, std::size_t) {
                              if (!err)
                                  self->read();
                          });
    }
    tcp::socket client;
    char data[BUFFER];
};

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](error_code err, tcp::socket client) {
        if (!err) {
            client.set_option(tcp::no_delay(true));
            std::make_shared<session>(std::move(client))->read();
        }
        accept_next(acceptor);
    });
}

} // namespace

int main(int argc, char **argv)
{
    asio::io_context context(1); /* one thread: fewer locks */
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));

    std::printf("%d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    if (argc > 1 && std::string(argv[1]) == "callback")
        accept_next(acceptor);
    else
        asio::co_spawn(context, accept_clients(acceptor), asio::detached);
    context.run();
}
