//! The Vertical Pod Autoscaler: what pods should request, and who gets it.
//!
//! The recommender takes samples of what containers use into histograms and writes into each object
//! what its pods should request; the updater changes pods that request something else in place, or
//! evicts them; a webhook (`patch`) gives new pods what is recommended. None of them knows
//! metrics-server, kubelets or the clock's progress.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler`, 1.7.1.

pub mod aggregate;
pub mod estimator;
pub mod histogram;
pub mod in_place;
pub mod patch;
mod priority;
pub mod recommender;
#[cfg(test)]
mod testing;
pub mod updater;
