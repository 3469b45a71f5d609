// What the API server does to a manifest before the scheduler sees it: defaults, and label keys
// merged into selectors. Nothing here knows a scheduler.

package main

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	defaults "k8s.io/kubernetes/pkg/apis/core/v1"
)

// admitPod is the pod as it would be stored. Its UID is "namespace/name".
func admitPod(given *v1.Pod) *v1.Pod {
	pod := given.DeepCopy()
	if pod.Namespace == "" {
		pod.Namespace = metav1.NamespaceDefault
	}
	pod.UID = types.UID(pod.Namespace + "/" + pod.Name)
	defaults.SetObjectDefaults_Pod(pod)
	for i := range pod.Spec.TopologySpreadConstraints {
		each := &pod.Spec.TopologySpreadConstraints[i]
		merge(each.LabelSelector, each.MatchLabelKeys, metav1.LabelSelectorOpIn, pod.Labels)
	}
	if affinity := pod.Spec.Affinity; affinity != nil {
		if some := affinity.PodAffinity; some != nil {
			mergeTerms(some.RequiredDuringSchedulingIgnoredDuringExecution,
				some.PreferredDuringSchedulingIgnoredDuringExecution, pod.Labels)
		}
		if some := affinity.PodAntiAffinity; some != nil {
			mergeTerms(some.RequiredDuringSchedulingIgnoredDuringExecution,
				some.PreferredDuringSchedulingIgnoredDuringExecution, pod.Labels)
		}
	}
	return pod
}

// admitNode is the node as it would be stored.
func admitNode(given *v1.Node) *v1.Node {
	node := given.DeepCopy()
	defaults.SetObjectDefaults_Node(node)
	return node
}

func mergeTerms(required []v1.PodAffinityTerm, preferred []v1.WeightedPodAffinityTerm, labels map[string]string) {
	for i := range required {
		mergeTerm(&required[i], labels)
	}
	for i := range preferred {
		mergeTerm(&preferred[i].PodAffinityTerm, labels)
	}
}

func mergeTerm(term *v1.PodAffinityTerm, labels map[string]string) {
	merge(term.LabelSelector, term.MatchLabelKeys, metav1.LabelSelectorOpIn, labels)
	merge(term.LabelSelector, term.MismatchLabelKeys, metav1.LabelSelectorOpNotIn, labels)
}

// merge does what applyLabelKeysToLabelSelector does in pkg/registry/core/pod/strategy.go, which
// can't be called from outside.
func merge(into *metav1.LabelSelector, keys []string, operator metav1.LabelSelectorOperator, labels map[string]string) {
	if into == nil {
		return // matches nothing, and goes on doing so
	}
	for _, key := range keys {
		if value, ok := labels[key]; ok {
			into.MatchExpressions = append(into.MatchExpressions,
				metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: []string{value}})
		}
	}
}
