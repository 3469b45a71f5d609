//! Many runs of one scenario, to answer what a single one can't: the smallest value that is enough,
//! the largest load that is carried, and how sure that is.
//!
//! It changes scenarios by `--set` paths and asks each run only whether its expectations held. It
//! does not know what a pod is, nor the files that answers are written to. An answer does not
//! depend on how many runs are made at a time.

pub mod axis;
pub mod breaks;
pub mod find;
pub mod interval;
pub mod objective;
pub mod plan;
pub mod runs;
pub mod search;

pub use axis::Axis;
pub use find::Find;
pub use plan::{Answer, Question};
pub use runs::{Outcome, RunLog, Runs, Stop};

/// What is wrong with a text of the command line: the bytes in it, what, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the text.
    pub span: std::ops::Range<usize>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Fault {
    /// `message` about the bytes `span`.
    pub fn new(span: std::ops::Range<usize>, message: impl Into<String>) -> Fault {
        Fault { span, message: message.into(), hint: None }
    }

    /// With a hint.
    pub fn with(self, hint: impl Into<String>) -> Fault {
        Fault { hint: Some(hint.into()), ..self }
    }
}
