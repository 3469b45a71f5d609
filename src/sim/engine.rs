//! The run loop (see `sim::queue`).
