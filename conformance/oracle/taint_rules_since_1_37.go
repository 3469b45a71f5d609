//go:build !kubernetes_1_35 && !kubernetes_1_36

// Rules that taint devices, which are on since Kubernetes 1.37.

package main

import (
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func init() {
	toldOf["DeviceTaintRule"] = func() runtime.Object { return &resourceapi.DeviceTaintRule{} }
}
