package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// samplePeriod bounds how far a memory bomb gets between two looks: some tens of megabytes.
	samplePeriod = 3 * time.Millisecond
	// bigHeap is the size of the heap after a request from which its memory is given back to the system at once.
	bigHeap = 96 << 20
	// gcPercent trades a few megabytes for fewer collections while a small render runs.
	gcPercent = 200
)

// watchdog ends the process when it uses more memory than its limit. The limit of the runtime is softer (it only collects harder), and
// Python replaces the process and gives the request its error.
type watchdog struct {
	limit uint64
	on    chan bool
}

func newWatchdog(limit int64) *watchdog {
	debug.SetGCPercent(gcPercent)
	w := &watchdog{limit: math.MaxUint64, on: make(chan bool)}
	if limit > 0 {
		w.limit = uint64(limit)
		debug.SetMemoryLimit(limit / 10 * 9)
		go w.run()
	}
	return w
}

func (w *watchdog) run() {
	sample := memorySample()
	tick := time.NewTicker(time.Hour)
	for {
		select {
		case on := <-w.on:
			if on {
				tick.Reset(samplePeriod)
			} else {
				tick.Reset(time.Hour)
			}
		case <-tick.C:
			if memoryInUse(sample) > w.limit {
				fmt.Fprintf(os.Stderr, "memory limit of %d bytes reached\n", w.limit)
				os.Exit(codeMemory)
			}
		}
	}
}

func (w *watchdog) start() {
	if w.limit != math.MaxUint64 {
		w.on <- true
	}
}

func (w *watchdog) stop() {
	if w.limit != math.MaxUint64 {
		w.on <- false
	}
	if memoryInUse(memorySample()) > bigHeap {
		debug.FreeOSMemory()
	}
}

func memorySample() []metrics.Sample {
	return []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
}

func memoryInUse(sample []metrics.Sample) uint64 {
	metrics.Read(sample)
	return sample[0].Value.Uint64() - sample[1].Value.Uint64()
}
