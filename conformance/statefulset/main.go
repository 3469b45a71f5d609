// Command statefulset draws StatefulSets with revisions, pods and claims, lets the controller of
// Kubernetes 1.37.2 decide what to ask for, and prints a case with its decision on each line:
//
//	go run . 400 1 | gzip -9n >../../tests/data/statefulset.ndjson.gz
//
// The arguments are the number of cases and the seed. tests/statefulset_decisions.rs compares; the
// variable STATEFULSET_DECISIONS names another file than the kept one.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	apps "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/controller/statefulset"
)

// Pod is a pod of the set.
type Pod struct {
	Ordinal int `json:"ordinal"`
	// Template of its revision; empty: it has no label of one.
	Revision string `json:"revision"`
	Phase    string `json:"phase"`
	Ready    bool   `json:"ready"`
	// Seconds since its condition Ready changed.
	Since    int  `json:"since"`
	Deleting bool `json:"deleting"`
	// It has the labels of its name and ordinal.
	Named bool `json:"named"`
}

// Claim is a claim for the pod with an ordinal.
type Claim struct {
	Ordinal int `json:"ordinal"`
	// none, set, pod, or one of the same name that is gone: oldset, oldpod.
	Owner    string `json:"owner"`
	Deleting bool   `json:"deleting"`
}

// Revision is a ControllerRevision that there is.
type Revision struct {
	Template string `json:"template"`
	Number   int64  `json:"number"`
}
// Case is a StatefulSet db, and what was done about it.
type Case struct {
	Replicas  int               `json:"replicas"`
	Start     int               `json:"start"`
	Parallel  bool              `json:"parallel"`
	OnDelete  bool              `json:"onDelete"`
	Partition int               `json:"partition"`
	Max       string            `json:"maxUnavailable"`
	MinReady  int               `json:"minReady"`
	Limit     int               `json:"limit"`
	Template  string            `json:"template"`
	Deleted   bool              `json:"deleted"`
	Revisions []Revision             `json:"revisions"`
	Current   string            `json:"current"`
	Pods      []Pod             `json:"pods"`
	HasClaims bool              `json:"hasClaims"`
	WithSet   bool              `json:"whenDeleted"`
	WithPod   bool              `json:"whenScaled"`
	Claims    []Claim           `json:"claims"`
	// Requests and Events, in order; the status that was written; whether the sync failed.
	Did    []string       `json:"did"`
	Status map[string]any `json:"status"`
	Failed bool           `json:"failed"`
}

// world stands for the API server: it answers, and writes down what it is asked for.
type world struct {
	mu     sync.Mutex
	c      *Case
	set    *apps.StatefulSet
	claims map[string]*v1.PersistentVolumeClaim
	revs   []*apps.ControllerRevision
	names  map[string]string // revision name -> template
	did    []string
	status *apps.StatefulSetStatus
}

func (w *world) note(f string, a ...any) {
	w.mu.Lock()
	w.did = append(w.did, fmt.Sprintf(f, a...))
	w.mu.Unlock()
}

// What the controller does with pods and claims.

func (w *world) CreatePod(ctx context.Context, pod *v1.Pod, ss *apps.StatefulSet) error {
	w.note("create %s %s %s %s", pod.Name, w.names[pod.Labels["controller-revision-hash"]], pod.Labels["apps.kubernetes.io/pod-index"], pod.Labels["statefulset.kubernetes.io/pod-name"])
	return nil
}
func (w *world) GetPod(ns, name string) (*v1.Pod, error) {
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}
func (w *world) UpdatePod(pod *v1.Pod, ss *apps.StatefulSet) error {
	w.note("update %s %s %s", pod.Name, pod.Labels["apps.kubernetes.io/pod-index"], pod.Labels["statefulset.kubernetes.io/pod-name"])
	return nil
}
func (w *world) DeletePod(pod *v1.Pod) error { w.note("delete %s", pod.Name); return nil }
func (w *world) CreateClaim(claim *v1.PersistentVolumeClaim, ss *apps.StatefulSet) error {
	w.note("claim %s", claim.Name)
	return nil
}
func (w *world) GetClaim(ns, name string) (*v1.PersistentVolumeClaim, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.claims[name]; ok {
		return c, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}
func (w *world) UpdateClaim(claim *v1.PersistentVolumeClaim, ss *apps.StatefulSet) error {
	owner := "none"
	for _, r := range claim.OwnerReferences {
		owner = strings.ToLower(r.Kind)
	}
	w.note("owner %s %s", claim.Name, owner)
	return nil
}

// What it does with the status.

func (w *world) UpdateStatefulSetStatus(ctx context.Context, set *apps.StatefulSet, status *apps.StatefulSetStatus) error {
	w.status = status.DeepCopy()
	w.note("status")
	return nil
}

// What it does with revisions.

func (w *world) ListControllerRevisions(parent metav1.Object, k schema.GroupVersionKind, s labels.Selector) ([]*apps.ControllerRevision, error) {
	return append([]*apps.ControllerRevision{}, w.revs...), nil
}
func (w *world) CreateControllerRevision(parent metav1.Object, r *apps.ControllerRevision, c *int32) (*apps.ControllerRevision, error) {
	r = r.DeepCopy()
	var t struct{ Spec struct{ Template struct{ Spec struct{ Containers []struct{ Image string } } } } }
	if err := json.Unmarshal(r.Data.Raw, &t); err != nil {
		panic(err)
	}
	r.Name = "db-" + t.Spec.Template.Spec.Containers[0].Image
	w.names[r.Name] = t.Spec.Template.Spec.Containers[0].Image
	w.note("revision %s %d", r.Name, r.Revision)
	return r, nil
}
func (w *world) DeleteControllerRevision(r *apps.ControllerRevision) error {
	w.note("forget %s", r.Name)
	return nil
}
func (w *world) UpdateControllerRevision(r *apps.ControllerRevision, n int64) (*apps.ControllerRevision, error) {
	r = r.DeepCopy()
	r.Revision = n
	w.note("revision %s %d", r.Name, r.Revision)
	return r, nil
}
func (w *world) AdoptControllerRevision(parent metav1.Object, k schema.GroupVersionKind, r *apps.ControllerRevision) (*apps.ControllerRevision, error) {
	return r, nil
}
func (w *world) ReleaseControllerRevision(parent metav1.Object, r *apps.ControllerRevision) (*apps.ControllerRevision, error) {
	return r, nil
}

// Events.

func (w *world) Event(o runtime.Object, t, reason, message string) {
	w.note("event %s %s %s", t, reason, message)
}
func (w *world) Eventf(o runtime.Object, t, reason, f string, a ...interface{}) {
	w.Event(o, t, reason, fmt.Sprintf(f, a...))
}
func (w *world) AnnotatedEventf(o runtime.Object, an map[string]string, t, reason, f string, a ...interface{}) {
	w.Event(o, t, reason, fmt.Sprintf(f, a...))
}

var _ record.EventRecorder = (*world)(nil)

func ptr[T any](v T) *T { return &v }

// set is the StatefulSet of a case, with a template.
func set(c *Case, template string) *apps.StatefulSet {
	s := &apps.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "default", UID: "set", Generation: 2},
		Spec: apps.StatefulSetSpec{
			Replicas:             ptr(int32(c.Replicas)),
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
			MinReadySeconds:      int32(c.MinReady),
			RevisionHistoryLimit: ptr(int32(c.Limit)),
			ServiceName:          "db",
			Template: v1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "db"}},
				Spec:       v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: template}}},
			},
			PodManagementPolicy: apps.OrderedReadyPodManagement,
		},
	}
	if c.Start > 0 {
		s.Spec.Ordinals = &apps.StatefulSetOrdinals{Start: int32(c.Start)}
	}
	if c.Parallel {
		s.Spec.PodManagementPolicy = apps.ParallelPodManagement
	}
	if c.OnDelete {
		s.Spec.UpdateStrategy.Type = apps.OnDeleteStatefulSetStrategyType
	} else {
		max := intstr.Parse(c.Max)
		s.Spec.UpdateStrategy = apps.StatefulSetUpdateStrategy{
			Type:          apps.RollingUpdateStatefulSetStrategyType,
			RollingUpdate: &apps.RollingUpdateStatefulSetStrategy{Partition: ptr(int32(c.Partition)), MaxUnavailable: &max},
		}
	}
	if c.HasClaims {
		s.Spec.VolumeClaimTemplates = []v1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
	}
	pol := func(b bool) apps.PersistentVolumeClaimRetentionPolicyType {
		if b {
			return apps.DeletePersistentVolumeClaimRetentionPolicyType
		}
		return apps.RetainPersistentVolumeClaimRetentionPolicyType
	}
	s.Spec.PersistentVolumeClaimRetentionPolicy = &apps.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenDeleted: pol(c.WithSet), WhenScaled: pol(c.WithPod)}
	return s
}

// revision is the revision of a template, as the controller makes it for an empty set.
func revision(c *Case, template string, number int64) *apps.ControllerRevision {
	w := &world{names: map[string]string{}}
	zero := *c
	zero.Replicas = 0
	var made *apps.ControllerRevision
	h := &capture{w, &made}
	ctl := statefulset.NewDefaultStatefulSetControl(statefulset.NewStatefulPodControlFromManager(w, w), w, h)
	if _, err := ctl.UpdateStatefulSet(context.TODO(), set(&zero, template), nil, time.Now()); err != nil {
		panic(err)
	}
	made.Revision = number
	return made
}

// capture keeps the revision that is made.
type capture struct {
	*world
	made **apps.ControllerRevision
}

func (h *capture) CreateControllerRevision(p metav1.Object, r *apps.ControllerRevision, c *int32) (*apps.ControllerRevision, error) {
	made, err := h.world.CreateControllerRevision(p, r, c)
	*h.made = made
	return made, err
}

// decide lets the controller decide a case.
func decide(c *Case) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := &world{c: c, claims: map[string]*v1.PersistentVolumeClaim{}, names: map[string]string{}}
	for _, r := range c.Revisions {
		made := revision(c, r.Template, r.Number)
		w.names[made.Name] = r.Template
		w.revs = append(w.revs, made)
	}
	s := set(c, c.Template)
	w.set = s
	if c.Current != "" {
		s.Status.CurrentRevision = "db-" + c.Current
	}
	if c.Deleted {
		s.DeletionTimestamp = &metav1.Time{Time: now}
	}
	var pods []*v1.Pod
	uid := func(o int) types.UID { return types.UID(fmt.Sprintf("pod-%d", o)) }
	for _, p := range c.Pods {
		name := fmt.Sprintf("db-%d", p.Ordinal)
		pod := &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: uid(p.Ordinal), Labels: map[string]string{"app": "db"}},
			Spec:       v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "v1"}}},
			Status:     v1.PodStatus{Phase: v1.PodPhase(p.Phase)},
		}
		if p.Revision != "" {
			pod.Labels["controller-revision-hash"] = "db-" + p.Revision
		}
		if p.Named {
			pod.Labels["statefulset.kubernetes.io/pod-name"] = name
			pod.Labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(p.Ordinal)
		}
		if c.HasClaims {
			pod.Spec.Volumes = []v1.Volume{{Name: "data", VolumeSource: v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: "data-" + name}}}}
		}
		status := v1.ConditionFalse
		if p.Ready {
			status = v1.ConditionTrue
		}
		pod.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: status, LastTransitionTime: metav1.Time{Time: now.Add(-time.Duration(p.Since) * time.Second)}}}
		if p.Deleting {
			pod.DeletionTimestamp = &metav1.Time{Time: now}
		}
		pods = append(pods, pod)
	}
	for _, k := range c.Claims {
		name := fmt.Sprintf("data-db-%d", k.Ordinal)
		claim := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
		ref := func(kind, version, name string, uid types.UID) {
			claim.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: uid, Controller: ptr(true), BlockOwnerDeletion: ptr(true)}}
		}
		switch k.Owner {
		case "set":
			ref("StatefulSet", "apps/v1", "db", "set")
		case "oldset":
			ref("StatefulSet", "apps/v1", "db", "old")
		case "pod":
			ref("Pod", "v1", fmt.Sprintf("db-%d", k.Ordinal), uid(k.Ordinal))
		case "oldpod":
			ref("Pod", "v1", fmt.Sprintf("db-%d", k.Ordinal), "old")
		}
		if k.Deleting {
			claim.DeletionTimestamp = &metav1.Time{Time: now}
		}
		w.claims[name] = claim
	}
	ctl := statefulset.NewDefaultStatefulSetControl(statefulset.NewStatefulPodControlFromManager(w, w), w, w)
	_, err := ctl.UpdateStatefulSet(context.TODO(), s, pods, now)
	c.Failed = err != nil
	c.Did = w.did
	if c.Did == nil {
		c.Did = []string{}
	}
	if st := w.status; st != nil {
		c.Status = map[string]any{"replicas": st.Replicas, "ready": st.ReadyReplicas, "available": st.AvailableReplicas, "current": st.CurrentReplicas, "updated": st.UpdatedReplicas, "currentRevision": st.CurrentRevision, "updateRevision": st.UpdateRevision, "observed": st.ObservedGeneration}
	}
}

// draw makes a case.
func draw(r *rand.Rand) *Case {
	pick := func(all ...string) string { return all[r.Intn(len(all))] }
	chance := func(p float64) bool { return r.Float64() < p }
	c := &Case{Replicas: r.Intn(7), Parallel: chance(0.5), OnDelete: chance(0.15), Max: pick("1", "1", "2", "3", "25%", "50%", "100%"), Limit: pick2(r, 10, 0, 1, 2), Template: pick("v1", "v2", "v3")}
	if chance(0.3) {
		c.Start = r.Intn(5)
	}
	if chance(0.4) {
		c.Partition = r.Intn(8)
	}
	if chance(0.4) {
		c.MinReady = 1 + r.Intn(10)
	}
	c.Deleted = chance(0.05)
	perm := r.Perm(5)
	for i := 0; i < r.Intn(5); i++ {
		c.Revisions = append(c.Revisions, Revision{fmt.Sprintf("v%d", perm[i]+1), int64(i*2 + 1)})
	}
	if len(c.Revisions) > 0 && chance(0.9) {
		c.Current = c.Revisions[r.Intn(len(c.Revisions))].Template
	}
	c.HasClaims = chance(0.4)
	c.WithSet, c.WithPod = chance(0.4), chance(0.4)
	health := []float64{0, 0.1, 0.1, 0.4}[r.Intn(4)]
	missing := []float64{0, 0, 0.1, 0.5}[r.Intn(4)]
	for o := 0; o < c.Start+c.Replicas+r.Intn(4); o++ {
		if o < c.Start && chance(0.8) {
			continue
		}
		has := !chance(missing)
		if has {
			p := Pod{Ordinal: o, Phase: "Running", Ready: true, Since: 20, Named: true, Revision: pick("v1", "v2")}
			if chance(0.3) {
				p.Revision = pick("v1", "v2", "v3", "v4", "v5", "")
			}
			if chance(health) {
				switch r.Intn(5) {
				case 0:
					p.Phase, p.Ready = pick("Failed", "Succeeded"), false
				case 1:
					p.Phase, p.Ready = "Pending", false
				case 2:
					p.Ready = false
				case 3:
					p.Since = r.Intn(12)
				case 4:
					p.Deleting = true
					if chance(0.4) {
						p.Phase, p.Ready = pick("Failed", "Succeeded", "Pending"), false
					}
				}
			}
			if chance(0.05) {
				p.Named = false
			}
			c.Pods = append(c.Pods, p)
		}
		if c.HasClaims && chance(0.85) {
			k := Claim{Ordinal: o, Owner: "none"}
			if c.WithSet {
				k.Owner = "set"
			}
			if chance(0.25) {
				k.Owner = pick("none", "set", "oldset", "oldpod")
				if has {
					k.Owner = pick("none", "set", "pod", "oldset", "oldpod")
				}
			}
			k.Deleting = chance(0.05)
			c.Claims = append(c.Claims, k)
		}
	}
	r.Shuffle(len(c.Pods), func(i, j int) { c.Pods[i], c.Pods[j] = c.Pods[j], c.Pods[i] })
	return c
}

func pick2(r *rand.Rand, all ...int) int { return all[r.Intn(len(all))] }

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	seed, _ := strconv.Atoi(os.Args[2])
	r := rand.New(rand.NewSource(int64(seed)))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for i := 0; i < n; i++ {
		c := draw(r)
		decide(c)
		b, _ := json.Marshal(c)
		out.Write(b)
		out.WriteByte('\n')
	}
}
