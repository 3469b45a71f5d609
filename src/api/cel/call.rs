//! The functions: of CEL's standard, its string extensions, Kubernetes' quantities and versions.
//!
//! Source: cel-go `ext/strings.go`, apiserver `pkg/cel/library/{quantity,semverlib}.go`, v1.37.

use super::syntax::Function;
use super::value::{Fault, Value};
use crate::api::Text;
use crate::api::quantity::Quantity;
use crate::api::semver::Semver;
use regex_lite::Regex;
use std::cmp::Ordering;

/// Calls a function.
pub(super) fn call<'a>(function: Function, arguments: Vec<Value<'a>>) -> Result<Value<'a>, Fault> {
    let none = || {
        let kinds: Vec<&str> = arguments.iter().map(Value::kind).collect();
        Err(format!("no such overload: {}({})", function.name(), kinds.join(", ")))
    };
    match &arguments[..] {
        [Value::Text(of)] => on_text(function, of).unwrap_or_else(none),
        [Value::Text(of), Value::Text(with)] => on_texts(function, of, with).unwrap_or_else(none),
        [Value::Text(of), Value::Bool(tolerant)] => match function {
            Function::Semver => semver(of, *tolerant).map(Value::Semver),
            Function::IsSemver => Ok(Value::Bool(semver(of, *tolerant).is_ok())),
            _ => none(),
        },
        [Value::Text(of), Value::Text(from), Value::Text(to)] if function == Function::Replace => {
            Ok(text(of.replace(&**from, to)))
        }
        [Value::List(items)] if matches!(function, Function::Size | Function::SizeOf) => {
            Ok(Value::Int(items.len() as i64))
        }
        [Value::Semver(of)] => match function {
            Function::Major => Ok(Value::Int(of.numbers[0] as i64)),
            Function::Minor => Ok(Value::Int(of.numbers[1] as i64)),
            Function::Patch => Ok(Value::Int(of.numbers[2] as i64)),
            _ => none(),
        },
        [Value::Semver(of), Value::Semver(with)] => {
            compared(function, of.cmp(with)).map_or_else(none, Ok)
        }
        [Value::Quantity(of)] => on_quantity(function, *of).unwrap_or_else(none),
        [Value::Quantity(of), Value::Quantity(with)] => match function {
            Function::Add => Ok(Value::Quantity(of.plus(*with))),
            Function::Sub => Ok(Value::Quantity(of.minus(*with))),
            _ => compared(function, of.cmp(with)).map_or_else(none, Ok),
        },
        [Value::Quantity(of), Value::Int(with)]
            if matches!(function, Function::Add | Function::Sub) =>
        {
            let with = Quantity::from_units(*with);
            let is_sum = function == Function::Add;
            Ok(Value::Quantity(if is_sum { of.plus(with) } else { of.minus(with) }))
        }
        [Value::Optional(of)] if function == Function::HasValue => Ok(Value::Bool(of.is_some())),
        [Value::Optional(of)] if function == Function::OptionalValue => match of {
            Some(of) => Ok((**of).clone()),
            None => Err("optional.none() dereference".to_owned()),
        },
        [Value::Optional(of), other] if function == Function::OrValue => {
            Ok(of.as_ref().map_or_else(|| other.clone(), |of| (**of).clone()))
        }
        [Value::Optional(of), other @ Value::Optional(_)] if function == Function::Or => {
            Ok(if of.is_some() { arguments[0].clone() } else { other.clone() })
        }
        [of] if function == Function::OptionalOf => Ok(Value::Optional(Some(of.clone().into()))),
        [] if function == Function::OptionalNone => Ok(Value::Optional(None)),
        _ => none(),
    }
}

fn text<'a>(of: impl Into<Text>) -> Value<'a> {
    Value::Text(of.into())
}

fn semver(of: &str, tolerant: bool) -> Result<Semver, Fault> {
    if tolerant { Semver::parse_tolerant(of) } else { Semver::parse(of) }
}

/// A function of one text; `None`: it is not one.
fn on_text<'a>(function: Function, of: &Text) -> Option<Result<Value<'a>, Fault>> {
    Some(Ok(match function {
        Function::Size | Function::SizeOf => Value::Int(of.chars().count() as i64),
        Function::LowerAscii => text(of.to_ascii_lowercase()),
        Function::UpperAscii => text(of.to_ascii_uppercase()),
        Function::Trim => text(of.trim()),
        Function::IsQuantity => Value::Bool(of.parse::<Quantity>().is_ok()),
        Function::IsSemver => Value::Bool(Semver::parse(of).is_ok()),
        Function::Quantity => return Some(quantity(of).map(Value::Quantity)),
        Function::Semver => return Some(semver(of, false).map(Value::Semver)),
        _ => return None,
    }))
}

fn quantity(of: &str) -> Result<Quantity, Fault> {
    use crate::api::quantity::QuantityError;
    of.parse().map_err(|error| match error {
        QuantityError::UnknownSuffix => "unable to parse quantity's suffix".to_owned(),
        _ => "quantities must match the regular expression \
              '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            .to_owned(),
    })
}

/// A function of two texts; `None`: it is not one.
fn on_texts<'a>(function: Function, of: &Text, with: &Text) -> Option<Result<Value<'a>, Fault>> {
    Some(Ok(match function {
        Function::Contains => Value::Bool(of.contains(&**with)),
        Function::StartsWith => Value::Bool(of.starts_with(&**with)),
        Function::EndsWith => Value::Bool(of.ends_with(&**with)),
        Function::Split => Value::List(of.split(&**with).map(text).collect()),
        Function::Matches | Function::MatchesOf => match Regex::new(with) {
            Ok(regex) => Value::Bool(regex.is_match(of)),
            Err(error) => return Some(Err(format!("error parsing regexp: {error}"))),
        },
        _ => return None,
    }))
}

fn on_quantity<'a>(function: Function, of: Quantity) -> Option<Result<Value<'a>, Fault>> {
    let zero = Quantity::default();
    Some(Ok(match function {
        Function::Sign => Value::Int(of.cmp(&zero) as i64),
        Function::IsInteger => Value::Bool(of.as_integer().is_some()),
        Function::AsInteger => match of.as_integer() {
            Some(whole) => Value::Int(whole),
            None => return Some(Err("cannot convert value to integer".to_owned())),
        },
        _ => return None,
    }))
}

fn compared<'a>(function: Function, order: Ordering) -> Option<Value<'a>> {
    Some(match function {
        Function::CompareTo => Value::Int(order as i64),
        Function::IsGreaterThan => Value::Bool(order == Ordering::Greater),
        Function::IsLessThan => Value::Bool(order == Ordering::Less),
        _ => return None,
    })
}
