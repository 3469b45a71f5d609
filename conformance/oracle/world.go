// One case, played: a scheduler whose cache is filled by hand, and one scheduling cycle a step.
// There is no queue, no clock and no API server: what a cycle writes has happened at once.

package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	_ "unsafe" // for go:linkname

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// What is told of a cycle depends on the size of the cluster, to keep cases readable.
const (
	rejectionsUpTo = 30
	scoresUpTo     = 60
)

// offsetRand is where the dry run of preemption starts. The real one draws it; a case gives it.
//
//go:linkname offsetRand k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption.getOffsetRand
var offsetRand func(int32) int32

// world is the scheduler and all that it can see.
type world struct {
	ctx      context.Context
	stop     context.CancelFunc
	log      klog.Logger
	sched    *scheduler.Scheduler
	factory  informers.SharedInformerFactory
	snapshot *internalcache.Snapshot
	// told are the informers that tell of devices, by kind.
	told map[string]*told
	// nodes are those in the cache.
	nodes map[string]*v1.Node
	// nominations tell where each pod was last nominated: its status in later steps.
	nominations map[string]string
	// usesDevices tells whether there are devices, and no volumes, in the case.
	usesDevices bool
	// deleted are the pods that the present cycle has deleted, in that order.
	deleted []string
}

// newWorld is an empty cluster with the scheduler that a case asks for.
func newWorld(given *header) (*world, error) {
	// With more than one worker the decisions are those of one race among many.
	if given.Mode != "direct" || given.Parallelism < 1 {
		return nil, fmt.Errorf(`expected mode "direct" and a parallelism above zero, got %q and %d`, given.Mode, given.Parallelism)
	}
	if err := sameVersion(given.Kubernetes); err != nil {
		return nil, err
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(given.FeatureGates); err != nil {
		return nil, err
	}
	w := &world{
		nodes:       map[string]*v1.Node{},
		nominations: map[string]string{},
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.log = klog.FromContext(w.ctx)
	client := &fake.Clientset{}
	client.AddReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &v1.Pod{}, nil
	})
	client.AddReactor("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		w.deleted = append(w.deleted, action.GetNamespace()+"/"+action.(clienttesting.DeleteAction).GetName())
		return true, nil, nil
	})
	w.factory = informers.NewSharedInformerFactory(client, 0)
	w.told = tellDevices(w.factory)
	w.serveClaims(client)
	options := []scheduler.Option{
		scheduler.WithParallelism(given.Parallelism),
	}
	if len(given.Config) > 0 {
		read, _, err := scheme.Codecs.UniversalDecoder().Decode(given.Config, nil, nil)
		if err != nil {
			return nil, err
		}
		configuration, ok := read.(*config.KubeSchedulerConfiguration)
		if !ok {
			return nil, fmt.Errorf("config: expected a KubeSchedulerConfiguration, got %T", read)
		}
		options = append(options,
			scheduler.WithComponentConfigVersion("kubescheduler.config.k8s.io/v1"),
			scheduler.WithProfiles(configuration.Profiles...),
			scheduler.WithPercentageOfNodesToScore(configuration.PercentageOfNodesToScore))
	}
	silence := func(string) recorder { return silent{} }
	var err error
	w.sched, err = scheduler.New(w.ctx, client, w.factory, nil, silence, options...)
	if err != nil {
		return nil, err
	}
	// The list of nodes of a cycle is the scheduler's own affair, and older ones don't take another.
	snapshot := reflect.ValueOf(w.sched).Elem().FieldByName("nodeInfoSnapshot")
	w.snapshot = (*internalcache.Snapshot)(snapshot.UnsafePointer())
	return w, nil
}

func (w *world) close() { w.stop() }

// play does what a line says, and puts the decision of a scheduling cycle into it.
func (w *world) play(given *line) error {
	switch {
	case given.Object != nil:
		return w.putObject(given.Object)
	case given.Node != nil:
		return w.addNode(given.Node)
	case given.Pod != nil:
		return w.addPod(admitPod(given.Pod))
	case given.Step == nil:
		return nil
	}
	switch given.Step.Op {
	case "addNode", "updateNode":
		return w.addNode(given.Step.Node)
	case "deleteNode":
		return w.deleteNode(given.Step.Name)
	case "deletePod":
		return w.deletePod(given.Step.Name)
	case "schedule":
		offset := int32(0)
		if given.Decision != nil && given.Decision.PreemptionOffset != nil {
			offset = *given.Decision.PreemptionOffset
		}
		var err error
		given.Decision, err = w.schedule(given.Step.Pod, offset)
		return err
	}
	return fmt.Errorf("unknown step %q", given.Step.Op)
}

// addNode adds a node, or replaces it.
func (w *world) addNode(given *v1.Node) error {
	if given == nil {
		return errors.New("the step needs a node")
	}
	node := admitNode(given)
	if old, ok := w.nodes[node.Name]; ok {
		w.sched.Cache.UpdateNode(w.log, old, node)
	} else {
		w.sched.Cache.AddNode(w.log, node)
	}
	w.nodes[node.Name] = node
	return w.factory.Core().V1().Nodes().Informer().GetIndexer().Add(node)
}

func (w *world) deleteNode(name string) error {
	node, ok := w.nodes[name]
	if !ok {
		return fmt.Errorf("there is no node %q", name)
	}
	delete(w.nodes, name)
	if err := w.factory.Core().V1().Nodes().Informer().GetIndexer().Delete(node); err != nil {
		return err
	}
	return w.sched.Cache.RemoveNode(w.log, node)
}

// pods is where the scheduler looks pods up by name.
func (w *world) pods() cache.Indexer {
	return w.factory.Core().V1().Pods().Informer().GetIndexer()
}

// addPod adds a bound pod.
func (w *world) addPod(pod *v1.Pod) error {
	if err := w.sched.Cache.AddPod(w.log, pod); err != nil {
		return err
	}
	return w.pods().Add(pod)
}

// deletePod removes a pod, bound or not, if it is there.
func (w *world) deletePod(name string) error {
	found, ok, err := w.pods().GetByKey(name)
	if err != nil || !ok {
		return err
	}
	pod := found.(*v1.Pod)
	delete(w.nominations, name)
	w.sched.SchedulingQueue.DeleteNominatedPodIfExists(pod)
	if err := w.pods().Delete(pod); err != nil {
		return err
	}
	if err := w.releaseClaims(pod); err != nil || pod.Spec.NodeName == "" {
		return err
	}
	return w.sched.Cache.RemovePod(w.log, pod)
}

// schedule runs one scheduling cycle and lets its outcome happen. A pod that already runs is passed
// over: whoever made the case couldn't know.
func (w *world) schedule(given *v1.Pod, offset int32) (*decision, error) {
	if given == nil {
		return nil, errors.New("the step needs a pod")
	}
	pod := admitPod(given)
	name := pod.Namespace + "/" + pod.Name
	if known, ok, _ := w.pods().GetByKey(name); ok && known.(*v1.Pod).Spec.NodeName != "" {
		return nil, nil
	}
	pod.Status.NominatedNodeName = w.nominations[name]
	if err := w.pods().Add(pod); err != nil {
		return nil, err
	}
	inner, ok := w.sched.Profiles[pod.Spec.SchedulerName]
	if !ok {
		return nil, fmt.Errorf("no profile has the name %q that pod %s asks for", pod.Spec.SchedulerName, name)
	}
	if err := w.sched.Cache.UpdateSnapshot(w.log, w.snapshot); err != nil {
		return nil, err
	}
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		return nil, err
	}
	listening := &listener{Framework: inner}
	state := framework.NewCycleState()
	state.Write(framework.PodsToActivateKey, framework.NewPodsToActivate())
	result, err := w.schedulePod(listening, state, info)
	told := &decision{Pod: name}
	var unfit *framework.FitError
	switch {
	case err == nil:
		told.Node = result.SuggestedHost
		told.Evaluated = result.EvaluatedNodes
		told.Feasible = result.FeasibleNodes
		if len(w.nodes) <= scoresUpTo && result.FeasibleNodes > 1 {
			told.Scores = listening.byNode()
		}
		return told, w.place(inner, state, pod, result.SuggestedHost, told)
	case errors.As(err, &unfit):
		return told, w.makeRoom(inner, state, info, unfit, offset, told)
	default:
		told.Message = err.Error()
		return told, nil
	}
}

// place is what follows when a node was found: the pod is bound to it at once.
func (w *world) place(profile framework.Framework, state fwk.CycleState, pod *v1.Pod, node string, told *decision) error {
	bound := pod.DeepCopy()
	bound.Spec.NodeName = node
	if err := w.addPod(bound); err != nil {
		return err
	}
	w.sched.SchedulingQueue.DeleteNominatedPodIfExists(bound)
	if status := profile.RunReservePluginsReserve(w.ctx, state, bound, node); !status.IsSuccess() {
		return status.AsError()
	}
	if !w.usesDevices {
		return nil // Volumes stay reserved: nobody would bind them.
	}
	if err := w.bindClaims(profile, state, bound, node); err != nil {
		return err
	}
	told.Claims = w.claimsOf(bound)
	return nil
}

// makeRoom is what follows when no node was found: preemption, whose victims are gone at once.
func (w *world) makeRoom(profile framework.Framework, state fwk.CycleState, info *framework.PodInfo,
	unfit *framework.FitError, offset int32, told *decision) error {
	w.deleted = nil
	if profile.HasPostFilterPlugins() {
		offsetRand = func(nodes int32) int32 {
			told.PreemptionOffset = &offset
			return offset
		}
		result, status := profile.RunPostFilterPlugins(w.ctx, state, info.Pod, unfit.Diagnosis.NodeToStatus)
		unfit.Diagnosis.PostFilterMsg = status.Message()
		if result != nil && result.NominatingInfo != nil {
			told.Nominated = result.NominatingInfo.NominatedNodeName
			w.sched.SchedulingQueue.AddNominatedPod(w.log, info, result.NominatingInfo)
		}
	} else {
		clear := &fwk.NominatingInfo{NominatingMode: fwk.ModeOverride}
		w.sched.SchedulingQueue.AddNominatedPod(w.log, info, clear)
	}
	if told.Nominated != "" {
		w.nominations[told.Pod] = told.Nominated
	}
	told.Message = unfit.Error()
	told.UnschedulablePlugins = sets.List(unfit.Diagnosis.UnschedulablePlugins)
	if len(w.nodes) <= rejectionsUpTo {
		told.RejectedBy = map[string]string{}
		for node := range w.nodes {
			told.RejectedBy[node] = unfit.Diagnosis.NodeToStatus.Get(node).Plugin()
		}
	}
	told.Victims = slices.Clone(w.deleted)
	for _, victim := range told.Victims {
		if err := w.deletePod(victim); err != nil {
			return err
		}
	}
	return nil
}

// listener is a profile that keeps the scores it gave last.
type listener struct {
	framework.Framework
	scores []fwk.NodePluginScores
}

func (l *listener) RunScorePlugins(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) ([]fwk.NodePluginScores, *fwk.Status) {
	scores, status := l.Framework.RunScorePlugins(ctx, state, pod, nodes)
	l.scores = slices.Clone(scores)
	return scores, status
}

// byNode is node -> plugin -> weighted, normalised score.
func (l *listener) byNode() map[string]map[string]int64 {
	told := map[string]map[string]int64{}
	for _, node := range l.scores {
		told[node.Name] = map[string]int64{}
		for _, each := range node.Scores {
			told[node.Name][each.Name] = each.Score
		}
	}
	return told
}

// silent takes the scheduler's Events; the decisions hold their text.
type silent struct{}

func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
func (silent) WithLogger(klog.Logger) events.EventRecorderLogger                             { return silent{} }
