// A recorder for the horizontal pod autoscaler: compiled into a copy of upstream's package, it
// writes a line for every calculation and every sync that the package's own unit tests cause, with
// all that was read and all that came of it. See run.

package podautoscaler

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"

	autoscaling "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/record"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

var (
	recMu     sync.Mutex
	recTest   string
	recOut    *os.File
	recReads  []map[string]any
	recEvents [][3]string
)

func recWrite(line map[string]any) {
	recMu.Lock()
	defer recMu.Unlock()
	if recOut == nil {
		f, err := os.Create(os.Getenv("RECORD_TO"))
		if err != nil {
			panic(err)
		}
		recOut = f
	}
	line["test"] = recTest
	b, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	recOut.Write(append(b, '\n'))
}

func recErr(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}

// The metrics APIs' answers.

type recClient struct{ metricsclient.MetricsClient }

func recSamples(now time.Time, m metricsclient.PodMetricsInfo) any {
	out := map[string]any{}
	for name, s := range m {
		out[name] = map[string]any{"value": s.Value, "age_ms": now.Sub(s.Timestamp).Milliseconds(), "window_ms": s.Window.Milliseconds()}
	}
	return out
}

func recRead(line map[string]any) { recMu.Lock(); recReads = append(recReads, line); recMu.Unlock() }

func (c recClient) GetResourceMetric(ctx context.Context, resource v1.ResourceName, namespace string, selector labels.Selector, container string) (metricsclient.PodMetricsInfo, time.Time, error) {
	m, t, err := c.MetricsClient.GetResourceMetric(ctx, resource, namespace, selector, container)
	recRead(map[string]any{"read": "resource", "name": resource, "container": container, "pods": recSamples(time.Now(), m), "error": recErr(err)})
	return m, t, err
}

func (c recClient) GetRawMetric(metricName string, namespace string, selector labels.Selector, metricSelector labels.Selector) (metricsclient.PodMetricsInfo, time.Time, error) {
	m, t, err := c.MetricsClient.GetRawMetric(metricName, namespace, selector, metricSelector)
	recRead(map[string]any{"read": "pods", "name": metricName, "pods": recSamples(time.Now(), m), "error": recErr(err)})
	return m, t, err
}

func (c recClient) GetObjectMetric(metricName string, namespace string, objectRef *autoscaling.CrossVersionObjectReference, metricSelector labels.Selector) (int64, time.Time, error) {
	m, t, err := c.MetricsClient.GetObjectMetric(metricName, namespace, objectRef, metricSelector)
	recRead(map[string]any{"read": "object", "name": metricName, "object": objectRef, "values": []int64{m}, "error": recErr(err)})
	return m, t, err
}

func (c recClient) GetExternalMetric(metricName, namespace string, selector labels.Selector) ([]int64, time.Time, error) {
	m, t, err := c.MetricsClient.GetExternalMetric(metricName, namespace, selector)
	recRead(map[string]any{"read": "external", "name": metricName, "values": m, "error": recErr(err)})
	return m, t, err
}

// The pods, with their times as ages.

func recPods(lister corelisters.PodLister, namespace string, selector labels.Selector) any {
	now := time.Now()
	ago := func(t time.Time) any {
		if t.IsZero() {
			return "long"
		}
		return now.Sub(t).Milliseconds()
	}
	list, _ := lister.Pods(namespace).List(selector)
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	out := []any{}
	for _, p := range list {
		line := map[string]any{"name": p.Name, "phase": p.Status.Phase, "deleted": p.DeletionTimestamp != nil, "spec": p.Spec}
		if p.Status.StartTime != nil {
			line["start_ago_ms"] = ago(p.Status.StartTime.Time)
		}
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodReady {
				line["ready"] = c.Status
				line["ready_ago_ms"] = ago(c.LastTransitionTime.Time)
			}
		}
		out = append(out, line)
	}
	return out
}

// A calculation is over.
func (c *ReplicaCalculator) recCalculation(line map[string]any, namespace string, selector labels.Selector, replicas int32, usage any, err error) {
	recMu.Lock()
	line["reads"] = recReads
	recReads = nil
	recMu.Unlock()
	line["kind"] = "calculation"
	if selector != nil {
		line["pods"] = recPods(c.podLister, namespace, selector)
	}
	line["replicas"], line["usage"], line["error"] = replicas, usage, recErr(err)
	recWrite(line)
}

func recBegin() { recMu.Lock(); recReads = nil; recMu.Unlock() }

// A sync begins; what is returned is called when it is over.
func (a *HorizontalController) recSync(key string, shared *autoscaling.HorizontalPodAutoscaler, scaleToZero bool) (map[string]any, func(*autoscaling.HorizontalPodAutoscaler, error)) {
	now := time.Now()
	recommendations, ups, downs := []any{}, []any{}, []any{}
	for _, r := range a.recommendations[key] {
		recommendations = append(recommendations, map[string]any{"replicas": r.recommendation, "ago_ms": now.Sub(r.timestamp).Milliseconds()})
	}
	scales := func(list []timestampedScaleEvent, out *[]any) {
		for _, r := range list {
			*out = append(*out, map[string]any{"change": r.replicaChange, "ago_ms": now.Sub(r.timestamp).Milliseconds()})
		}
	}
	scales(a.scaleUpEvents[key], &ups)
	scales(a.scaleDownEvents[key], &downs)
	recMu.Lock()
	recEvents = nil
	recMu.Unlock()
	line := map[string]any{"kind": "sync", "hpa": shared.DeepCopy(), "scale_to_zero": scaleToZero,
		"is_first": a.recommendations[key] == nil, "recommendations": recommendations, "ups": ups, "downs": downs}
	return line, func(hpa *autoscaling.HorizontalPodAutoscaler, err error) {
		recMu.Lock()
		line["events"] = recEvents
		recMu.Unlock()
		line["status"], line["error"] = hpa.Status, recErr(err)
		if scale, ok := line["scale"].(map[string]any); ok {
			if selector, err := labels.Parse(scale["selector"].(string)); err == nil {
				line["pods"] = recPods(a.podLister, shared.Namespace, selector)
			}
		}
		recWrite(line)
	}
}

type recRecorder struct{ record.EventRecorderLogger }

func (r recRecorder) Event(object runtime.Object, eventtype, reason, message string) {
	recMu.Lock()
	recEvents = append(recEvents, [3]string{eventtype, reason, message})
	recMu.Unlock()
	r.EventRecorderLogger.Event(object, eventtype, reason, message)
}

func (r recRecorder) Eventf(object runtime.Object, eventtype, reason, messageFmt string, args ...interface{}) {
	recMu.Lock()
	recEvents = append(recEvents, [3]string{eventtype, reason, fmt.Sprintf(messageFmt, args...)})
	recMu.Unlock()
	r.EventRecorderLogger.Eventf(object, eventtype, reason, messageFmt, args...)
}
