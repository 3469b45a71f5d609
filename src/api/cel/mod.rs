//! Selectors of devices: the part of the Common Expression Language that they are written in.
//!
//! An interpreter of its own, since what selectors need of CEL is small and must fail in upstream's
//! words: `device` with driver, attributes, capacity and allowMultipleAllocations; logic,
//! comparison and arithmetic; `in`, `has`, optional fields, `cel.bind`, macros over lists;
//! functions of texts, quantities and versions. Anything else is an error when the selector is
//! read. Types are checked when an expression is worked out, not before.
//!
//! | file | what lives there |
//! |---|---|
//! | `syntax.rs` | expressions |
//! | `parse.rs` | from text to an expression |
//! | `value.rs` | values, and how they compare |
//! | `eval.rs`, `call.rs` | what an expression and a function are worth |
//!
//! Source: dynamic-resource-allocation `cel/compile.go`, v1.37, on cel-go v0.29.

mod call;
mod eval;
mod parse;
mod syntax;
mod value;

use super::Text;
use super::devices::Device;
use eval::Scope;
use std::sync::Arc;
use syntax::Expr;
use value::{Subject, Value};

/// A selector that has been read.
#[derive(Clone, Debug)]
pub struct Program {
    /// As written.
    pub text: Text,
    expr: Arc<Expr>,
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.text == other.text
    }
}

impl Program {
    /// Reads a selector.
    pub fn new(text: &str) -> Result<Program, String> {
        Ok(Program { text: text.into(), expr: Arc::new(parse::parse(text)?) })
    }

    /// Whether a device of this driver is selected; the error is upstream's.
    pub fn matches(&self, driver: &Text, device: &Device) -> Result<bool, String> {
        let subject = Subject { driver, device };
        let found = Scope::new(&subject).value(&self.expr);
        match found {
            Ok(Value::Bool(matches)) => Ok(matches),
            Ok(other) => Err(format!(
                "CEL result of type {0} could not be converted to bool: unsupported native \
                 conversion from {0} to 'bool'",
                other.kind()
            )),
            Err(fault) if fault.contains("no such key:") => Err(format!(
                "{fault}. consider using CEL optional chaining (.? followed by orValue()) or \
                 guarding the check with has() for optional fields"
            )),
            Err(fault) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests;
