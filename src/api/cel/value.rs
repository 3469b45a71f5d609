//! Values of expressions, and how they compare. Parts of a device are looked up, not copied.
//!
//! Source: cel-go `common/types`, apiserver `pkg/cel/{semver,quantity}.go`, v1.37.

use crate::api::Text;
use crate::api::devices::{Attribute, Device, split_name};
use crate::api::quantity::Quantity;
use crate::api::semver::Semver;
use std::cmp::Ordering;

/// What went wrong, in upstream's words.
pub(super) type Fault = String;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text),
    Semver(Semver),
    Quantity(Quantity),
    List(Vec<Value<'a>>),
    Optional(Option<Box<Value<'a>>>),
    /// `device`.
    Device(&'a Subject<'a>),
    /// `device.attributes` or `device.capacity`.
    Parts(&'a Subject<'a>, Part),
    /// Those of one domain.
    Domain(&'a Subject<'a>, Part, Text),
}

/// The device that an expression is about.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) driver: &'a Text,
    pub(super) device: &'a Device,
}

/// Attributes or capacities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Attributes,
    Capacity,
}

const NO_OVERLOAD: &str = "no such overload";

impl<'a> Subject<'a> {
    /// The attribute or capacity of this domain and name.
    pub(super) fn part(&self, part: Part, domain: &str, name: &str) -> Option<Value<'a>> {
        let is_it = |full: &Text| split_name(full, self.driver) == (domain, name);
        match part {
            Part::Attributes => {
                let found = self.device.attributes.iter().find(|(full, _)| is_it(full))?.1;
                Some(match found {
                    Attribute::Bool(value) => Value::Bool(*value),
                    Attribute::Int(value) => Value::Int(*value),
                    Attribute::Text(value) => Value::Text(value.clone()),
                    Attribute::Version(value) => Value::Semver(value.clone()),
                })
            }
            Part::Capacity => {
                let found = self.device.capacity.iter().find(|(full, _)| is_it(full))?.1;
                Some(Value::Quantity(found.value))
            }
        }
    }

    /// Whether there is anything of this domain.
    pub(super) fn has_domain(&self, part: Part, domain: &str) -> bool {
        let is_in = |full: &Text| split_name(full, self.driver).0 == domain;
        match part {
            Part::Attributes => self.device.attributes.keys().any(is_in),
            Part::Capacity => self.device.capacity.keys().any(is_in),
        }
    }
}

impl<'a> Value<'a> {
    /// The value of a field or key. A domain that nothing is in is an empty one.
    pub(super) fn select(&self, key: &Value<'a>) -> Result<Option<Value<'a>>, Fault> {
        let name = match key {
            Value::Text(name) => name,
            Value::Int(at) => return self.item(*at),
            _ => return Err(NO_OVERLOAD.to_owned()),
        };
        match self {
            Value::Device(subject) => Ok(match &**name {
                "driver" => Some(Value::Text(subject.driver.clone())),
                "attributes" => Some(Value::Parts(subject, Part::Attributes)),
                "capacity" => Some(Value::Parts(subject, Part::Capacity)),
                "allowMultipleAllocations" => Some(Value::Bool(subject.device.allows_multiple)),
                _ => None,
            }),
            Value::Parts(subject, part) => Ok(Some(Value::Domain(subject, *part, name.clone()))),
            Value::Domain(subject, part, domain) => Ok(subject.part(*part, domain, name)),
            _ => Err(NO_OVERLOAD.to_owned()),
        }
    }

    fn item(&self, at: i64) -> Result<Option<Value<'a>>, Fault> {
        let Value::List(items) = self else { return Err(NO_OVERLOAD.to_owned()) };
        let found = usize::try_from(at).ok().and_then(|at| items.get(at));
        match found {
            Some(found) => Ok(Some(found.clone())),
            None => Err(format!("index out of bounds: {at}")),
        }
    }

    /// `self == other`. Versions and quantities insist on their like.
    pub(super) fn equals(&self, other: &Value<'a>) -> Result<bool, Fault> {
        Ok(match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Null, _) | (_, Value::Null) => false,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Semver(a), Value::Semver(b)) => a == b,
            (Value::Quantity(a), Value::Quantity(b)) => a == b,
            (Value::Semver(_) | Value::Quantity(_), _) => return Err(NO_OVERLOAD.to_owned()),
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b) == Ok(true))
            }
            (Value::Optional(a), Value::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equals(b)?,
                (None, None) => true,
                _ => false,
            },
            _ => self.numbers(other).is_some_and(|order| order == Some(Ordering::Equal)),
        })
    }

    /// How two values of the same kind, or two numbers, compare; `None`: they are not ordered.
    pub(super) fn compare(&self, other: &Value<'a>) -> Result<Option<Ordering>, Fault> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(b))),
            (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
            _ => self.numbers(other).ok_or_else(|| NO_OVERLOAD.to_owned()),
        }
    }

    /// How two numbers compare, of whichever kinds.
    fn numbers(&self, other: &Value<'a>) -> Option<Option<Ordering>> {
        let whole = |value: &Value<'_>| match value {
            Value::Int(value) => Some(i128::from(*value)),
            Value::Uint(value) => Some(i128::from(*value)),
            _ => None,
        };
        if let (Some(a), Some(b)) = (whole(self), whole(other)) {
            return Some(Some(a.cmp(&b)));
        }
        let double = |value: &Value<'_>| match value {
            Value::Double(value) => Some(*value),
            _ => whole(value).map(|value| value as f64),
        };
        Some(double(self)?.partial_cmp(&double(other)?))
    }

    /// Whether `<` and the like are for it.
    pub(super) fn is_ordered(&self) -> bool {
        use Value::{Bool, Double, Int, Text, Uint};
        matches!(self, Bool(_) | Int(_) | Uint(_) | Double(_) | Text(_))
    }

    /// The name of its type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Text(_) => "string",
            Value::Semver(_) => "kubernetes.Semver",
            Value::Quantity(_) => "kubernetes.Quantity",
            Value::List(_) => "list",
            Value::Optional(_) => "optional_type",
            Value::Device(_) | Value::Parts(..) | Value::Domain(..) => "map",
        }
    }
}
