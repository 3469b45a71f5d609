//! Classes, slices and claims of devices in manifests.

use super::{Manifests, Place, Reader};
use crate::api::convert::{FieldError, devices, resource_claim};
use crate::api::devices::{ClaimTemplate, DeviceObject};
use k8s_openapi::api::resource::v1 as resource;
use std::sync::Arc;

/// Kinds that are read here.
pub(super) const KINDS: [&str; 5] =
    ["DeviceClass", "ResourceSlice", "DeviceTaintRule", "ResourceClaim", "ResourceClaimTemplate"];

/// Those of all manifests.
#[derive(Debug, Default)]
pub(in super::super) struct Devices {
    pub objects: Vec<(DeviceObject, Place)>,
    pub templates: Vec<(ClaimTemplate, Place)>,
}

impl Manifests {
    /// One of [`KINDS`].
    pub(super) fn device(&mut self, kind: &str, reader: &mut Reader<'_>) {
        let mut errors: Vec<FieldError> = Vec::new();
        let object = match kind {
            "DeviceClass" => reader
                .decode::<resource::DeviceClass>()
                .map(|given| DeviceObject::Class(Arc::new(devices::class(&given, &mut errors)))),
            "ResourceSlice" => reader
                .decode::<resource::ResourceSlice>()
                .map(|given| DeviceObject::Slice(Arc::new(devices::slice(&given, &mut errors)))),
            "DeviceTaintRule" => reader
                .decode::<resource::DeviceTaintRule>()
                .map(|given| DeviceObject::TaintRule(Arc::new(devices::taint_rule(&given)))),
            "ResourceClaim" => reader.decode::<resource::ResourceClaim>().map(|given| {
                let claim = resource_claim::claim(&given, "default", &mut errors);
                DeviceObject::Claim(Arc::new(claim))
            }),
            _ => {
                let Some(given) = reader.decode::<resource::ResourceClaimTemplate>() else {
                    return;
                };
                let template = devices::template(&given, "default", &mut errors);
                self.name(kind, &template.name.namespace, &template.name.name, reader);
                reader.fields(errors);
                self.devices.templates.push((template, reader.place.clone()));
                return;
            }
        };
        let Some(object) = object else { return };
        let (namespace, name) = match &object {
            DeviceObject::Class(class) => ("", class.name.clone()),
            DeviceObject::Slice(slice) => ("", slice.name.clone()),
            DeviceObject::TaintRule(rule) => ("", rule.name.clone()),
            DeviceObject::Claim(claim) => (&*claim.name.namespace, claim.name.name.clone()),
        };
        self.name(kind, namespace, &name, reader);
        reader.fields(errors);
        self.devices.objects.push((object, reader.place.clone()));
    }
}
