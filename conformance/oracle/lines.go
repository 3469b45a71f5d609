// The lines of a case: what is read from them and what is written. Nothing here knows a scheduler.

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// line is one line of a case; exactly one of its parts but Decision is there.
type line struct {
	Case     *header         `json:"case"`
	Object   json.RawMessage `json:"object"`
	Node     *v1.Node        `json:"node"`
	Pod      *v1.Pod         `json:"pod"`
	Step     *step           `json:"step"`
	Decision *decision       `json:"decision"`

	// raw is the line as it was read.
	raw []byte
}

// header is the first line of a case.
type header struct {
	Name         string          `json:"name"`
	Kubernetes   string          `json:"kubernetes"`
	Mode         string          `json:"mode"`
	Parallelism  int32           `json:"parallelism"`
	FeatureGates map[string]bool `json:"featureGates"`
	Config       json.RawMessage `json:"config"`
}

// step is something that happens.
type step struct {
	Op   string   `json:"op"`
	Name string   `json:"name"`
	Node *v1.Node `json:"node"`
	Pod  *v1.Pod  `json:"pod"`
}

// decision is the outcome of one scheduling cycle. Conform's documentation tells what is what.
type decision struct {
	Claims               map[string][]string         `json:"claims,omitempty"`
	Evaluated            int                         `json:"evaluated,omitempty"`
	Feasible             int                         `json:"feasible,omitempty"`
	Message              string                      `json:"message,omitempty"`
	Node                 string                      `json:"node,omitempty"`
	Nominated            string                      `json:"nominated,omitempty"`
	Pod                  string                      `json:"pod"`
	PreemptionOffset     *int32                      `json:"preemptionOffset,omitempty"`
	RejectedBy           map[string]string           `json:"rejectedBy,omitempty"`
	Scores               map[string]map[string]int64 `json:"scores,omitempty"`
	UnschedulablePlugins []string                    `json:"unschedulablePlugins,omitempty"`
	Victims              []string                    `json:"victims,omitempty"`
}

// readLines reads a case, gzipped or not.
func readLines(file string) ([]line, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	var text io.Reader = opened
	if strings.HasSuffix(file, ".gz") {
		if text, err = gzip.NewReader(opened); err != nil {
			return nil, err
		}
	}
	var lines []line
	scanner := bufio.NewScanner(text)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		next := line{raw: bytes.Clone(scanner.Bytes())}
		if err := json.Unmarshal(next.raw, &next); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(lines)+1, err)
		}
		lines = append(lines, next)
	}
	return lines, scanner.Err()
}

// writeLines writes a case: lines as they were read, with their decisions.
func writeLines(file string, lines []line) error {
	var text bytes.Buffer
	for _, each := range lines {
		if each.Decision == nil {
			text.Write(each.raw)
			text.WriteByte('\n')
			continue
		}
		var asRead struct {
			Step json.RawMessage `json:"step"`
		}
		if err := json.Unmarshal(each.raw, &asRead); err != nil {
			return err
		}
		written, err := json.Marshal(map[string]any{"step": asRead.Step, "decision": each.Decision})
		if err != nil {
			return err
		}
		text.Write(append(written, '\n'))
	}
	if !strings.HasSuffix(file, ".gz") {
		return os.WriteFile(file, text.Bytes(), 0o666)
	}
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	if _, err := writer.Write(text.Bytes()); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(file, zipped.Bytes(), 0o666)
}
