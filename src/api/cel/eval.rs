//! What an expression is worth for a device. Errors are values until something looks at them: `a ||
//! b` is true if either is, whatever the other one fails with.
//!
//! Source: cel-go `interpreter/interpretable.go`, `interpreter/attributes.go`, v0.29.

use super::call::call;
use super::syntax::{Each, Expr, Literal};
use super::value::{Fault, Subject, Value};
use crate::api::Text;
use std::cmp::Ordering;

/// Names and what they stand for, the innermost last.
pub(super) struct Scope<'a> {
    subject: &'a Subject<'a>,
    names: Vec<(Text, Result<Value<'a>, Fault>)>,
}

impl<'a> Scope<'a> {
    /// A scope with the device alone.
    pub(super) fn new(subject: &'a Subject<'a>) -> Scope<'a> {
        Scope { subject, names: Vec::new() }
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expr: &Expr) -> Result<Value<'a>, Fault> {
        match expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::List(items) => {
                let items: Result<_, _> = items.iter().map(|item| self.value(item)).collect();
                Ok(Value::List(items?))
            }
            Expr::Name(name) => match self.names.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => value.clone(),
                None => Ok(Value::Device(self.subject)),
            },
            Expr::Select { of, key, optional } => self.select(of, key, *optional),
            Expr::Has { of, field } => self.has(of, field),
            Expr::Call { function, arguments } => {
                let arguments: Result<Vec<_>, _> =
                    arguments.iter().map(|argument| self.value(argument)).collect();
                call(*function, arguments?)
            }
            Expr::Equal { left, right, negated } => {
                let (left, right) = self.both(left, right)?;
                match (left.equals(&right), negated) {
                    // What can't be compared is not equal.
                    (answer, true) => Ok(Value::Bool(answer != Ok(true))),
                    (answer, false) => answer.map(Value::Bool),
                }
            }
            Expr::Compare { left, right, operator } => self.compare(left, right, operator),
            Expr::Arithmetic { left, right, operator } => {
                let (left, right) = self.both(left, right)?;
                arithmetic(left, right, operator)
            }
            Expr::In { item, of } => self.is_in(item, of),
            Expr::Not(of) => match self.value(of)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                _ => Err("no such overload: !_".to_owned()),
            },
            Expr::Negative(of) => match self.value(of)? {
                Value::Int(value) => {
                    value.checked_neg().map(Value::Int).ok_or_else(|| OVERFLOW.to_owned())
                }
                Value::Double(value) => Ok(Value::Double(-value)),
                _ => Err("no such overload: -_".to_owned()),
            },
            Expr::Any(terms) => self.several(terms, true),
            Expr::All(terms) => self.several(terms, false),
            Expr::If { condition, yes, no } => match self.value(condition)? {
                Value::Bool(true) => self.value(yes),
                Value::Bool(false) => self.value(no),
                _ => Err("no such overload".to_owned()),
            },
            Expr::Bind { name, value, body } => {
                let value = self.value(value);
                self.names.push((name.clone(), value));
                let found = self.value(body);
                self.names.pop();
                found
            }
            Expr::Each { kind, name, of, body } => self.each(*kind, name, of, body),
        }
    }

    fn both(&mut self, left: &Expr, right: &Expr) -> Result<(Value<'a>, Value<'a>), Fault> {
        let (left, right) = (self.value(left), self.value(right));
        Ok((left?, right?))
    }

    fn select(&mut self, of: &Expr, key: &Expr, optional: bool) -> Result<Value<'a>, Fault> {
        let of = self.value(of)?;
        let key = self.value(key)?;
        let some = |value: Value<'a>| Value::Optional(Some(value.into()));
        // What is selected from an optional value is optional too.
        let (of, optional) = match of {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(of)) => (*of, true),
            of => (of, optional),
        };
        match (of.select(&key)?, optional) {
            (Some(found), false) => Ok(found),
            (Some(found), true) => Ok(some(found)),
            (None, true) => Ok(Value::Optional(None)),
            (None, false) => match key {
                Value::Text(name) => Err(format!("no such key: {name}")),
                _ => Err("no such key".to_owned()),
            },
        }
    }

    fn has(&mut self, of: &Expr, field: &Text) -> Result<Value<'a>, Fault> {
        let of = match self.value(of)? {
            Value::Optional(None) => return Ok(Value::Bool(false)),
            Value::Optional(Some(of)) => *of,
            of => of,
        };
        Ok(Value::Bool(of.select(&Value::Text(field.clone()))?.is_some()))
    }

    fn compare(
        &mut self,
        left: &Expr,
        right: &Expr,
        operator: &'static str,
    ) -> Result<Value<'a>, Fault> {
        let (left, right) = self.both(left, right)?;
        if !left.is_ordered() {
            return Err(format!("no such overload: _{operator}_"));
        }
        let Some(order) = left.compare(&right)? else {
            return Err("NaN values cannot be ordered".to_owned());
        };
        Ok(Value::Bool(match operator {
            "<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            _ => order != Ordering::Less,
        }))
    }

    fn is_in(&mut self, item: &Expr, of: &Expr) -> Result<Value<'a>, Fault> {
        let (item, of) = self.both(item, of)?;
        let found = match (&of, &item) {
            (Value::List(items), _) => items.iter().any(|each| item.equals(each) == Ok(true)),
            (Value::Parts(subject, part), Value::Text(domain)) => subject.has_domain(*part, domain),
            (Value::Domain(subject, part, domain), Value::Text(name)) => {
                subject.part(*part, domain, name).is_some()
            }
            (Value::Device(_), Value::Text(name)) => {
                of.select(&Value::Text(name.clone()))?.is_some()
            }
            (Value::Parts(..) | Value::Domain(..) | Value::Device(_), _) => false,
            _ => return Err("no such overload: @in".to_owned()),
        };
        Ok(Value::Bool(found))
    }

    /// `||` (`seeks` true) and `&&` (false): one term with that value decides.
    fn several(&mut self, terms: &[Expr], seeks: bool) -> Result<Value<'a>, Fault> {
        let mut fault = None;
        for term in terms {
            match self.value(term) {
                Ok(Value::Bool(value)) if value == seeks => return Ok(Value::Bool(seeks)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => drop(fault.get_or_insert("no such overload".to_owned())),
                Err(why) => drop(fault.get_or_insert(why)),
            }
        }
        fault.map_or(Ok(Value::Bool(!seeks)), Err)
    }

    fn each(
        &mut self,
        kind: Each,
        name: &Text,
        of: &Expr,
        body: &Expr,
    ) -> Result<Value<'a>, Fault> {
        let Value::List(items) = self.value(of)? else {
            return Err("no such overload".to_owned());
        };
        let mut kept = Vec::new();
        let (mut holding, mut fault) = (0, None);
        for item in items {
            self.names.push((name.clone(), Ok(item.clone())));
            let found = self.value(body);
            self.names.pop();
            match (kind, found) {
                (Each::Exists, Ok(Value::Bool(true))) => return Ok(Value::Bool(true)),
                (Each::All, Ok(Value::Bool(false))) => return Ok(Value::Bool(false)),
                (Each::Exists | Each::All, Ok(Value::Bool(_))) => {}
                (Each::Exists | Each::All, Err(why)) => drop(fault.get_or_insert(why)),
                (Each::Map, found) => kept.push(found?),
                (_, Ok(Value::Bool(holds))) => {
                    holding += usize::from(holds);
                    if holds {
                        kept.push(item);
                    }
                }
                (_, Err(why)) => return Err(why),
                _ => return Err("no such overload".to_owned()),
            }
        }
        match (kind, fault) {
            (_, Some(why)) => Err(why),
            (Each::Exists, _) => Ok(Value::Bool(false)),
            (Each::All, _) => Ok(Value::Bool(true)),
            (Each::ExistsOne, _) => Ok(Value::Bool(holding == 1)),
            (Each::Filter | Each::Map, _) => Ok(Value::List(kept)),
        }
    }
}

const OVERFLOW: &str = "integer overflow";

fn of_literal<'a>(literal: &Literal) -> Value<'a> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::Uint(value) => Value::Uint(*value),
        Literal::Double(value) => Value::Double(*value),
        Literal::Text(value) => Value::Text(value.clone()),
        Literal::Quantity(value) => Value::Quantity(*value),
        Literal::Semver(value) => Value::Semver(value.clone()),
    }
}

fn arithmetic<'a>(left: Value<'a>, right: Value<'a>, by: &str) -> Result<Value<'a>, Fault> {
    let none = || format!("no such overload: _{by}_");
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            let zero = matches!(by, "/" | "%") && b == 0;
            if zero {
                let what = if by == "/" { "division" } else { "modulus" };
                return Err(format!("{what} by zero"));
            }
            let found = match by {
                "+" => a.checked_add(b),
                "-" => a.checked_sub(b),
                "*" => a.checked_mul(b),
                "/" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            found.map(Value::Int).ok_or_else(|| OVERFLOW.to_owned())
        }
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(match by {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            _ => return Err(none()),
        })),
        (Value::Text(a), Value::Text(b)) if by == "+" => Ok(Value::Text(format!("{a}{b}").into())),
        (Value::List(mut a), Value::List(b)) if by == "+" => {
            a.extend(b);
            Ok(Value::List(a))
        }
        (Value::Int(_) | Value::Double(_) | Value::Text(_) | Value::List(_), _) => {
            Err("no such overload".to_owned())
        }
        _ => Err(none()),
    }
}
