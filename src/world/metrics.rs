//! Metrics pipeline.
