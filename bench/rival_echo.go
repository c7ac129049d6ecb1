// SPDX-License-Identifier: MIT

// Go's net as an echo server for bench_io, where its compiler is found: rivals/go-echo. A goroutine
// a client. Prints its port.
package main

import (
	"fmt"
	"log"
	"net"
)

const buffer = 1024

func echo(client net.Conn) {
	defer client.Close()
	data := make([]byte, buffer)
	for {
		n, err := client.Read(data)
		if err != nil {
			return
		}
		if _, err := client.Write(data[:n]); err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(client)
	}
}
