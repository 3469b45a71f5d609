//! What all objects of custom kinds have around their `spec`, read strictly.
//!
//! It knows no kind; each has a file of its own beside this one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A manifest with this `spec`. What its `status` says is somebody else's to write.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomResource<S> {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: ObjectMeta,
    pub(super) spec: S,
    #[serde(rename = "status", default)]
    _status: Option<serde_json::Value>,
}
