// SPDX-License-Identifier: MIT

// Goroutines for bench_task and bench_loop, where Go's compiler is found: rivals/go-task. One thread
// runs them, but for ping. Prints what the workload measures.
//
//	go-task go yield|spawn|queue|cancel|sleep|ping|timers|fire N PARAMETER
package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const warm = 3

func each(took time.Duration, n int) float64 {
	return float64(took.Nanoseconds()) / float64(n)
}

func yield(times, tasks int) float64 {
	var all sync.WaitGroup
	var began time.Time
	var took time.Duration
	rounds := times / tasks
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func(i int) {
			for j := 0; j < warm; j++ {
				runtime.Gosched()
			}
			if i == 0 {
				began = time.Now()
			}
			for j := 0; j < rounds; j++ {
				runtime.Gosched()
			}
			if i == tasks-1 {
				took = time.Since(began)
			}
			all.Done()
		}(i)
	}
	all.Wait()
	return each(took, rounds*tasks)
}

func spawn(times int) float64 {
	ran := 0
	began := time.Now()
	for i := -1000; i < times; i++ {
		if i == 0 {
			began = time.Now()
		}
		done := make(chan bool, 1)
		go func() { ran++; done <- true }()
		<-done
	}
	if ran != times+1000 {
		panic("a goroutine was lost")
	}
	return each(time.Since(began), times)
}

func queue(times, room int) float64 {
	items, done := make(chan int, room), make(chan bool)
	began := time.Now()
	go func() {
		for i := 0; i < times; i++ {
			items <- i
		}
	}()
	go func() {
		for i := 0; i < times; i++ {
			if <-items != i {
				panic("wrong item")
			}
		}
		done <- true
	}()
	<-done
	return each(time.Since(began), times)
}

func cancel(n int) float64 {
	var all sync.WaitGroup
	ctx, end := context.WithCancel(context.Background())
	all.Add(n)
	ended := 0
	for i := 0; i < n; i++ {
		go func() {
			timer := time.NewTimer(time.Hour)
			select {
			case <-ctx.Done():
				ended++
			case <-timer.C:
			}
			timer.Stop()
			all.Done()
		}()
	}
	runtime.Gosched()
	time.Sleep(time.Millisecond)
	began := time.Now()
	end()
	all.Wait()
	if ended != n {
		panic("not all were cancelled")
	}
	return each(time.Since(began), n)
}

func resident() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages * os.Getpagesize())
}

var sleepers = make(chan bool, 1)

func sleepRound(n, nsEach int, byChance bool) (float64, float64) {
	patience := time.Duration(nsEach*n + 10000000)
	before := resident()
	var began, ended time.Time
	delays := make([]time.Duration, n)
	random := uint64(1)
	for i := range delays {
		random = random*6364136223846793005 + 1442695040888963407
		if byChance {
			delays[i] = time.Duration(random>>33) % (patience / 100)
		}
	}
	asleep, woken := 0, 0
	began = time.Now()
	due := began.Add(patience)
	for i := 0; i < n; i++ {
		go func(i int) {
			asleep++
			time.Sleep(time.Until(due) + delays[i])
			woken++
			if woken == n {
				ended = time.Now()
				sleepers <- true
			}
		}(i)
	}
	for asleep < n {
		runtime.Gosched()
	}
	all := time.Now()
	bytes := (resident() - before) / float64(n)
	<-sleepers
	if all.After(due) {
		return math.NaN(), bytes
	}
	return each(all.Sub(began)+ended.Sub(due), n), bytes
}

func sleep(n, nsEach int) {
	cold, bytes := sleepRound(n, nsEach, false)
	recycled, _ := sleepRound(n, nsEach, false)
	byChance, _ := sleepRound(n, nsEach, true)
	fmt.Printf("%f %f %f %f\n", cold, recycled, byChance, bytes)
}

// Two threads.
func ping(times int) float64 {
	runtime.GOMAXPROCS(2)
	to, fro := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for item := range to {
			fro <- item
		}
	}()
	runtime.LockOSThread()
	began := time.Now()
	for i := -100; i < times; i++ {
		if i == 0 {
			began = time.Now()
		}
		to <- i
		if <-fro != i {
			panic("wrong answer")
		}
	}
	return each(time.Since(began), times) / 1e3
}

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func delays(n int) []time.Duration {
	list := make([]time.Duration, n)
	random := uint64(1)
	for i := range list {
		random = random*6364136223846793005 + 1442695040888963407
		list[i] = time.Duration(float64(random>>40) / (1 << 24) * 1e9)
	}
	return list
}

func timers(n int) float64 {
	list := delays(n)
	all := make([]*time.Timer, n)
	began := time.Now()
	for i := range all {
		all[i] = time.AfterFunc(time.Hour+list[i], func() {})
	}
	for _, timer := range all {
		timer.Stop()
	}
	return each(time.Since(began), n)
}

func fire(n int) (float64, float64) {
	list := delays(n)
	over := make(chan bool, 1)
	fired := int32(0)
	began := cpu()
	for _, delay := range list {
		time.AfterFunc(delay, func() {
			if atomic.AddInt32(&fired, 1) == int32(n) {
				over <- true
			}
		})
	}
	set := cpu() - began
	<-over
	return each(cpu()-began, n), each(set, n)
}

func main() {
	n, _ := strconv.Atoi(os.Args[3])
	parameter, _ := strconv.Atoi(os.Args[4])
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	switch os.Args[2] {
	case "yield":
		fmt.Println(yield(n, parameter))
	case "spawn":
		fmt.Println(spawn(n))
	case "queue":
		fmt.Println(queue(n, parameter))
	case "cancel":
		fmt.Println(cancel(n))
	case "sleep":
		sleep(n, parameter)
	case "ping":
		fmt.Println(ping(n))
	case "timers":
		fmt.Println(timers(n))
	case "fire":
		all, set := fire(n)
		fmt.Println(all, set)
	}
}
