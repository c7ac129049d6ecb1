// SPDX-License-Identifier: MIT

// Go, for bench_fork and bench_submit, where its compiler is found: rivals/go. Prints the seconds
// that something took, and its result.
//
//	go fib|queens|tree|skynet N WORKERS
//	go submit N           N jobs from one goroutine to two, each with a channel for its end
//	go one|parked N       the same, one by one; with a pause before each
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"time"
)

const treeSeed = 23

type node struct {
	state       uint64
	value       int64
	depth, size int
}

func fib(n int) int64 {
	if n < 2 {
		return int64(n)
	}
	a := make(chan int64, 1)
	go func() { a <- fib(n - 1) }()
	b := fib(n - 2)
	return <-a + b
}

func queens(parent *node, children []node) int {
	columns, left, right := parent.state&0xffff, parent.state>>16&0xffff, parent.state>>32
	places := ^(columns | left | right) & (1<<parent.size - 1)
	count := 0
	if parent.depth == 0 {
		parent.value = 1
		return 0
	}
	for ; places != 0; places &= places - 1 {
		place := places & -places
		children[count] = node{state: (columns | place) | ((left|place)<<1&0xffff)<<16 |
			(right|place)>>1<<32, depth: parent.depth - 1, size: parent.size}
		count++
	}
	return count
}

func mix(x uint64) uint64 {
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return x ^ x>>32
}

func tree(parent *node, children []node) int {
	random := mix(parent.state)
	count := 0
	parent.value = 1
	if parent.depth == 0 {
		return 0
	}
	for count < len(children) && (parent.depth == parent.size || random&15 < 13) {
		children[count] = node{state: mix(parent.state*31 + uint64(count) + 1),
			depth: parent.depth - 1, size: parent.size}
		random >>= 4
		count++
	}
	return count
}

func skynet(parent *node, children []node) int {
	if parent.depth == 0 {
		parent.value = int64(parent.state)
		return 0
	}
	leaves := uint64(1)
	for i := 1; i < parent.depth; i++ {
		leaves *= 10
	}
	for i := uint64(0); i < 10; i++ {
		children[i] = node{state: parent.state + i*leaves, depth: parent.depth - 1, size: parent.size}
	}
	return 10
}

func walk(parent *node, expand func(*node, []node) int) int64 {
	var children [16]node
	count := expand(parent, children[:])
	if count == 0 {
		return parent.value
	}
	values := make(chan int64, count-1)
	for i := 0; i < count-1; i++ {
		child := children[i]
		go func() { values <- walk(&child, expand) }()
	}
	sum := parent.value + walk(&children[count-1], expand)
	for i := 0; i < count-1; i++ {
		sum += <-values
	}
	return sum
}

type job struct {
	run  func()
	done chan bool
}

func work(jobs chan job) {
	for j := range jobs {
		j.run()
		j.done <- true
	}
}

func empty() {}

func submit(jobs chan job, n int) int64 {
	futures := make([]chan bool, n)
	for i := range futures {
		futures[i] = make(chan bool, 1)
		jobs <- job{empty, futures[i]}
	}
	count := int64(0)
	for _, future := range futures {
		if <-future {
			count++
		}
	}
	return count
}

// The median of those with a pause; all of those without.
func oneByOne(jobs chan job, n int, parked bool) (float64, int64) {
	took := make([]float64, n)
	began := time.Now()
	for i := range took {
		if parked {
			time.Sleep(400 * time.Microsecond)
			began = time.Now()
		}
		future := make(chan bool, 1)
		jobs <- job{empty, future}
		<-future
		took[i] = time.Since(began).Seconds()
	}
	if !parked {
		return took[n-1] / float64(n), int64(n)
	}
	sort.Float64s(took)
	return took[n/2], int64(n)
}

func forks(what string, n int) int64 {
	seed := uint64(0)
	expand := queens
	switch what {
	case "fib":
		return fib(n)
	case "tree":
		expand, seed = tree, treeSeed
	case "skynet":
		expand = skynet
	}
	return walk(&node{state: seed, depth: n, size: n}, expand)
}

func main() {
	what := os.Args[1]
	n, _ := strconv.Atoi(os.Args[2])
	less := 2
	if what == "fib" {
		less = 8
	}
	jobs := make(chan job, 1024)
	go work(jobs)
	go work(jobs)
	var result int64
	began := time.Now()
	switch what {
	case "one", "parked":
		oneByOne(jobs, 10, false)
		seconds, count := oneByOne(jobs, n, what == "parked")
		fmt.Printf("%.9f %d\n", seconds, count)
		return
	case "submit":
		submit(jobs, n/10)
		began = time.Now()
		result = submit(jobs, n)
	default:
		workers, _ := strconv.Atoi(os.Args[3])
		runtime.GOMAXPROCS(workers)
		forks(what, n-less)
		began = time.Now()
		result = forks(what, n)
	}
	fmt.Printf("%.9f %d\n", time.Since(began).Seconds(), result)
}
