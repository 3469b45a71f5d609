// Oracle asks the real kube-scheduler.
//
// It reads cases (NDJSON, one file each, gzip or not), plays each through the scheduler code of
// k8s.io/kubernetes, and writes the same case with what was decided beside every scheduling step.
// Decisions that a case already holds are replaced; only their preemptionOffset is used.
//
// It must not know how the project decides, nor how cases are made: it is what both are held
// against.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	out := flag.String("out", "", "folder for the cases with decisions (required)")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: oracle --out DIR CASE.ndjson[.gz]...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	// The scheduler tells of every pod that it can't place; the decisions say it better.
	klog.SetLogger(logr.Discard())
	if err := os.MkdirAll(*out, 0o777); err != nil {
		fail(err)
	}
	for _, file := range flag.Args() {
		if err := record(file, filepath.Join(*out, filepath.Base(file))); err != nil {
			fail(fmt.Errorf("%s: %w", file, err))
		}
	}
}

// record plays the case in one file and writes it with its decisions to another.
func record(from, to string) error {
	lines, err := readLines(from)
	if err != nil {
		return err
	}
	if len(lines) == 0 || lines[0].Case == nil {
		return fmt.Errorf(`line 1: expected {"case": ...}`)
	}
	world, err := newWorld(lines[0].Case)
	if err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	defer world.close()
	if lines[0].raw, err = withRelease(lines[0].raw); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	for at := range lines {
		if err := world.play(&lines[at]); err != nil {
			return fmt.Errorf("line %d: %w", at+1, err)
		}
	}
	return writeLines(to, lines)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(2)
}
