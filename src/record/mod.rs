//! What a run leaves behind, as typed rows and streaming summaries in memory.
//!
//! The world calls [`Recorder`]; the `report` room gives it a [`Sink`] that writes files, tests
//! give it one that keeps rows. This room knows neither files nor the event loop. Rows are handed
//! on as they come, so memory follows live objects, not history (DESIGN rule 11).

pub mod attempt;
pub mod costs;
mod delivery;
pub mod latency;
pub mod measure;
pub mod metric;
pub mod objective;
pub mod recorder;
pub mod rows;
pub mod story;
pub mod summarize;
pub mod summary;
pub mod totals;
pub mod turning_points;
pub mod wording;

pub use recorder::{Recorder, Sink};
