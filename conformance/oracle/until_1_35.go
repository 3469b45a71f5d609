//go:build kubernetes_1_35

// What the scheduler's code calls things until Kubernetes 1.35.

package main

import (
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

type recorder = events.EventRecorder

func (w *world) schedulePod(profile framework.Framework, state fwk.CycleState, pod *framework.PodInfo) (scheduler.ScheduleResult, error) {
	return w.sched.SchedulePod(w.ctx, profile, state, pod.Pod)
}
