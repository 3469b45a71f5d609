// Whose decisions these are: the release of Kubernetes that this program was built with.

package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
)

// release is the version of k8s.io/kubernetes in this program, like 1.37.2.
func release() (string, error) {
	built, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range built.Deps {
			if module.Path == "k8s.io/kubernetes" {
				return strings.TrimPrefix(module.Version, "v"), nil
			}
		}
	}
	return "", fmt.Errorf("this program does not know the release of Kubernetes in it")
}

// sameVersion tells whether a case is for the minor version that this program asks.
func sameVersion(given string) error {
	built, err := release()
	if err != nil {
		return err
	}
	minor := func(release string) string {
		parts := append(strings.SplitN(release, ".", 3), "", "")
		return parts[0] + "." + parts[1]
	}
	if given != "" && minor(given) != minor(built) {
		return fmt.Errorf("the case is for Kubernetes %s, this program asks %s", given, built)
	}
	return nil
}

// withRelease is the first line of a case with the release that decided it.
func withRelease(first []byte) ([]byte, error) {
	var read struct {
		Case map[string]json.RawMessage `json:"case"`
	}
	if err := json.Unmarshal(first, &read); err != nil {
		return nil, err
	}
	built, err := release()
	if err != nil {
		return nil, err
	}
	if read.Case["kubernetes"], err = json.Marshal(built); err != nil {
		return nil, err
	}
	return json.Marshal(read)
}
