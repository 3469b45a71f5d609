//! The Vertical Pod Autoscaler: what pods should request, and who gets it.
//!
//! Its recommender takes samples of what containers use into histograms and writes into each object
//! what its pods should request. It knows no metrics-server, no clock and no kubelet.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler`, 1.7.1.

pub mod aggregate;
pub mod estimator;
pub mod histogram;
