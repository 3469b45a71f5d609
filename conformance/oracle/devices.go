// Classes, slices and claims of devices. The scheduler is told of these by events and keeps what it
// makes of them, so their informers, which never run either, hand every object put in by hand to
// whoever listens. The API server's part of what a cycle writes is here too, and the little of the
// resourceclaim controller that deals with pods that are gone.

package main

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
	defaults "k8s.io/kubernetes/pkg/apis/resource/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// told is an informer whose listeners hear of what is put into its store.
type told struct {
	cache.SharedIndexInformer
	handlers []cache.ResourceEventHandler
	versions int
}

func (t *told) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	t.handlers = append(t.handlers, handler)
	return t.SharedIndexInformer.AddEventHandler(handler)
}

func (t *told) AddEventHandlerWithResyncPeriod(handler cache.ResourceEventHandler, period time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	t.handlers = append(t.handlers, handler)
	return t.SharedIndexInformer.AddEventHandlerWithResyncPeriod(handler, period)
}

func (t *told) AddEventHandlerWithOptions(handler cache.ResourceEventHandler, options cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	t.handlers = append(t.handlers, handler)
	return t.SharedIndexInformer.AddEventHandlerWithOptions(handler, options)
}

// put adds an object, or its newest version.
func (t *told) put(object metav1.Object) error {
	t.versions++
	object.SetResourceVersion(strconv.Itoa(t.versions))
	old, exists, err := t.GetIndexer().Get(object)
	if err != nil {
		return err
	}
	if err := t.GetIndexer().Add(object); err != nil {
		return err
	}
	for _, handler := range t.handlers {
		if exists {
			handler.OnUpdate(old, object)
		} else {
			handler.OnAdd(object, false)
		}
	}
	return nil
}

// remove takes an object away.
func (t *told) remove(object metav1.Object) error {
	if err := t.GetIndexer().Delete(object); err != nil {
		return err
	}
	for _, handler := range t.handlers {
		handler.OnDelete(object)
	}
	return nil
}

// toldOf are the kinds of which listeners hear.
var toldOf = map[string]func() runtime.Object{
	"DeviceClass":   func() runtime.Object { return &resourceapi.DeviceClass{} },
	"ResourceSlice": func() runtime.Object { return &resourceapi.ResourceSlice{} },
	"ResourceClaim": func() runtime.Object { return &resourceapi.ResourceClaim{} },
}

// tellDevices makes the factory's informers of these kinds tell; it must come before anybody asks
// for one of them.
func tellDevices(factory informers.SharedInformerFactory) map[string]*told {
	all := map[string]*told{}
	for kind, empty := range toldOf {
		made := &told{SharedIndexInformer: cache.NewSharedIndexInformer(&cache.ListWatch{}, empty(), 0,
			cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
		factory.InformerFor(empty(), func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return made })
		all[kind] = made
	}
	return all
}

// admitDevice is the object as it would be stored.
func admitDevice(object metav1.Object) {
	switch each := object.(type) {
	case *resourceapi.ResourceSlice:
		for i := range each.Spec.Devices {
			for j := range each.Spec.Devices[i].Taints {
				each.Spec.Devices[i].Taints[j].TimeAdded = &metav1.Time{}
			}
		}
	case *resourceapi.ResourceClaim:
		if each.Namespace == "" {
			each.Namespace = metav1.NamespaceDefault
		}
		each.UID = types.UID(each.Namespace + "/" + each.Name)
		for i := range each.Spec.Devices.Requests {
			request := &each.Spec.Devices.Requests[i]
			if request.Exactly != nil {
				defaults.SetDefaults_ExactDeviceRequest(request.Exactly)
			}
			for j := range request.FirstAvailable {
				defaults.SetDefaults_DeviceSubRequest(&request.FirstAvailable[j])
			}
		}
	}
}

// serveClaims answers what the scheduler writes to claims.
func (w *world) serveClaims(client *fake.Clientset) {
	claims := func() *told { return w.told["ResourceClaim"] }
	client.AddReactor("update", "resourceclaims", func(action clienttesting.Action) (bool, runtime.Object, error) {
		claim := action.(clienttesting.UpdateAction).GetObject().(*resourceapi.ResourceClaim).DeepCopy()
		err := claims().put(claim)
		return true, claim.DeepCopy(), err // The scheduler goes on to change what it is given.
	})
	client.AddReactor("create", "resourceclaims", func(action clienttesting.Action) (bool, runtime.Object, error) {
		claim := action.(clienttesting.CreateAction).GetObject().(*resourceapi.ResourceClaim).DeepCopy()
		claim.Name = claim.GenerateName + "x"
		claim.UID = types.UID(claim.Namespace + "/" + claim.Name)
		err := claims().put(claim)
		return true, claim.DeepCopy(), err
	})
	client.AddReactor("delete", "resourceclaims", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := action.GetNamespace() + "/" + action.(clienttesting.DeleteAction).GetName()
		found, ok, err := claims().GetIndexer().GetByKey(name)
		if err != nil || !ok {
			return true, nil, err
		}
		return true, nil, claims().remove(found.(*resourceapi.ResourceClaim))
	})
}

// bindClaims lets PreBind write what was reserved for a pod on its node.
func (w *world) bindClaims(profile framework.Framework, state fwk.CycleState, pod *v1.Pod, node string) error {
	if status := profile.RunPreBindPreFlights(w.ctx, state, pod, node); !status.IsSuccess() && !status.IsSkip() {
		return status.AsError()
	}
	return profile.RunPreBindPlugins(w.ctx, state, pod, node).AsError()
}

// releaseClaims is what the resourceclaim controller does when a pod is gone: nobody uses its claims
// for it any more, and those that were made for it go too.
func (w *world) releaseClaims(pod *v1.Pod) error {
	store := w.told["ResourceClaim"]
	for _, key := range slices.Sorted(slices.Values(store.GetIndexer().ListKeys())) {
		found, _, err := store.GetIndexer().GetByKey(key)
		if err != nil {
			return err
		}
		claim := found.(*resourceapi.ResourceClaim).DeepCopy()
		before := len(claim.Status.ReservedFor)
		claim.Status.ReservedFor = slices.DeleteFunc(claim.Status.ReservedFor,
			func(user resourceapi.ResourceClaimConsumerReference) bool { return user.UID == pod.UID })
		if len(claim.Status.ReservedFor) < before {
			if len(claim.Status.ReservedFor) == 0 {
				claim.Status.Allocation = nil
			}
			if err := store.put(claim); err != nil {
				return err
			}
		}
		if metav1.IsControlledBy(claim, pod) {
			if err := store.remove(claim); err != nil {
				return err
			}
		}
	}
	return nil
}

// claimsOf tells what the claims of a pod have got, by their names.
func (w *world) claimsOf(pod *v1.Pod) map[string][]string {
	all := map[string][]string{}
	store := w.told["ResourceClaim"].GetIndexer()
	for _, found := range store.List() {
		claim := found.(*resourceapi.ResourceClaim)
		isUser := func(user resourceapi.ResourceClaimConsumerReference) bool { return user.UID == pod.UID }
		if claim.Status.Allocation != nil && slices.ContainsFunc(claim.Status.ReservedFor, isUser) {
			all[claim.Name] = tellAllocation(claim.Status.Allocation)
		}
	}
	return all
}

// tellAllocation is a line for each device, and one for the nodes from which they are reached.
func tellAllocation(allocation *resourceapi.AllocationResult) []string {
	lines := []string{}
	for _, device := range allocation.Devices.Results {
		line := fmt.Sprintf("%s=%s/%s/%s", device.Request, device.Driver, device.Pool, device.Device)
		if device.AdminAccess != nil && *device.AdminAccess {
			line += " admin"
		}
		if device.ShareID != nil {
			line += " share"
		}
		var consumed []string
		for name, amount := range device.ConsumedCapacity {
			consumed = append(consumed, fmt.Sprintf(" %s=%dm", name, amount.MilliValue()))
		}
		sort.Strings(consumed)
		lines = append(lines, line+strings.Join(consumed, ""))
	}
	if allocation.NodeSelector != nil {
		var all []string
		for _, term := range allocation.NodeSelector.NodeSelectorTerms {
			for _, each := range slices.Concat(term.MatchFields, term.MatchExpressions) {
				values := slices.Sorted(slices.Values(each.Values))
				all = append(all, fmt.Sprintf("%s %s [%s]", each.Key, each.Operator, strings.Join(values, " ")))
			}
		}
		lines = append(lines, "nodes: "+strings.Join(all, "; "))
	}
	return lines
}
