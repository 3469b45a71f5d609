// Objects of a case that are neither pods nor nodes, put where the scheduler's listers look.
// The informers never run: nothing arrives but what is put in by hand.

package main

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	defaults "k8s.io/kubernetes/pkg/apis/core/v1"
)

// putObject adds an object, or its newest version.
func (w *world) putObject(text json.RawMessage) error {
	var kind metav1.TypeMeta
	if err := json.Unmarshal(text, &kind); err != nil {
		return err
	}
	if empty, ok := toldOf[kind.Kind]; ok {
		object := empty().(metav1.Object)
		if err := json.Unmarshal(text, object); err != nil {
			return err
		}
		admitDevice(object)
		w.usesDevices = true
		return w.told[kind.Kind].put(object)
	}
	object, informer := home(w.factory, kind.Kind)
	if object == nil {
		return fmt.Errorf("objects of kind %q are not known here", kind.Kind)
	}
	if err := json.Unmarshal(text, object); err != nil {
		return err
	}
	switch each := object.(type) {
	case *v1.PersistentVolume:
		defaults.SetObjectDefaults_PersistentVolume(each)
	case *v1.PersistentVolumeClaim:
		defaults.SetObjectDefaults_PersistentVolumeClaim(each)
	}
	if namespaced(kind.Kind) && object.GetNamespace() == "" {
		object.SetNamespace(metav1.NamespaceDefault)
	}
	return informer.GetIndexer().Add(object)
}

// home is an empty object of a kind and the informer whose store it belongs into.
func home(factory informers.SharedInformerFactory, kind string) (metav1.Object, cache.SharedIndexInformer) {
	core, storage := factory.Core().V1(), factory.Storage().V1()
	switch kind {
	case "Namespace":
		return &v1.Namespace{}, core.Namespaces().Informer()
	case "Service":
		return &v1.Service{}, core.Services().Informer()
	case "ReplicationController":
		return &v1.ReplicationController{}, core.ReplicationControllers().Informer()
	case "ReplicaSet":
		return &appsv1.ReplicaSet{}, factory.Apps().V1().ReplicaSets().Informer()
	case "StatefulSet":
		return &appsv1.StatefulSet{}, factory.Apps().V1().StatefulSets().Informer()
	case "PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}, factory.Policy().V1().PodDisruptionBudgets().Informer()
	case "PersistentVolume":
		return &v1.PersistentVolume{}, core.PersistentVolumes().Informer()
	case "PersistentVolumeClaim":
		return &v1.PersistentVolumeClaim{}, core.PersistentVolumeClaims().Informer()
	case "StorageClass":
		return &storagev1.StorageClass{}, storage.StorageClasses().Informer()
	case "CSINode":
		return &storagev1.CSINode{}, storage.CSINodes().Informer()
	case "CSIDriver":
		return &storagev1.CSIDriver{}, storage.CSIDrivers().Informer()
	case "CSIStorageCapacity":
		return &storagev1.CSIStorageCapacity{}, storage.CSIStorageCapacities().Informer()
	case "VolumeAttachment":
		return &storagev1.VolumeAttachment{}, storage.VolumeAttachments().Informer()
	}
	return nil, nil
}

func namespaced(kind string) bool {
	switch kind {
	case "Service", "ReplicationController", "ReplicaSet", "StatefulSet", "PodDisruptionBudget",
		"PersistentVolumeClaim", "CSIStorageCapacity":
		return true
	}
	return false
}
