//! From text to an expression. What the evaluator does not know is an error here, so that a
//! selector which has been read can be worked out.
//!
//! Source: the CEL language definition, `doc/langdef.md`, and cel-go's macros.

use super::syntax::{Each, Expr, Function, Literal};
use crate::api::Text;
use crate::api::quantity::Quantity;
use crate::api::semver::Semver;

/// Deeper expressions are refused, as by cel-go's default for nested calls.
const MAX_DEPTH: usize = 50;
const OPERATORS: [&str; 26] = [
    "||", "&&", "==", "!=", "<=", ">=", "?", ":", "<", ">", "+", "-", "*", "/", "%", "!", ".", ",",
    "(", ")", "[", "]", "{", "}", ";", "=",
];
const DEVICE: &str = "device";
const FIELDS: [&str; 4] = ["driver", "attributes", "capacity", "allowMultipleAllocations"];

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Literal(Literal),
    Word(Text),
    Operator(&'static str),
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, names: Vec::new(), depth: 0 };
    let found = parser.expression()?;
    match parser.tokens.get(parser.at) {
        None => Ok(found),
        Some(token) => Err(format!("unexpected {} at the end", told(token))),
    }
}

fn told(token: &Token) -> String {
    match token {
        Token::Literal(_) => "literal".to_owned(),
        Token::Word(word) => format!("{word:?}"),
        Token::Operator(operator) => format!("{operator:?}"),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let Some(first) = rest.chars().next() else { return Ok(out) };
        let raw = rest.starts_with(['r', 'R']) && rest[1..].starts_with(['"', '\'']);
        if raw || first == '"' || first == '\'' {
            let (found, after) = string(&rest[usize::from(raw)..], raw)?;
            out.push(Token::Literal(Literal::Text(found.into())));
            rest = after;
        } else if first.is_ascii_digit()
            || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let (found, after) = number(rest)?;
            out.push(Token::Literal(found));
            rest = after;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            out.push(match word {
                "true" => Token::Literal(Literal::Bool(true)),
                "false" => Token::Literal(Literal::Bool(false)),
                "null" => Token::Literal(Literal::Null),
                _ => Token::Word(word.into()),
            });
            rest = after;
        } else {
            let found = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            let operator = found.ok_or_else(|| format!("unexpected character {first:?}"))?;
            out.push(Token::Operator(operator));
            rest = &rest[operator.len()..];
        }
    }
}

/// A text literal in quotes, one or three of them; gives what comes after it.
fn string(text: &str, raw: bool) -> Result<(String, &str), String> {
    let one = &text[..1];
    let triple = one.repeat(3);
    let quote = if text.starts_with(&triple) { &triple } else { one };
    let mut out = String::new();
    let mut rest = &text[quote.len()..];
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Ok((out, after));
        }
        let mut characters = rest.chars();
        let first = characters.next().ok_or("a text without an end")?;
        rest = characters.as_str();
        match first {
            '\\' if !raw => rest = escape(rest, &mut out)?,
            '\n' if quote.len() == 1 => return Err("a text without an end".to_owned()),
            other => out.push(other),
        }
    }
}

/// What comes after a backslash.
fn escape<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    let first = text.chars().next().ok_or("a text without an end")?;
    let length = match first {
        'x' | 'X' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if length > 0 {
        let digits = text.get(1..1 + length);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        out.push(code.and_then(char::from_u32).ok_or("a bad escape in a text")?);
        return Ok(&text[1 + length..]);
    }
    out.push(match first {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '\\' | '"' | '\'' | '`' | '?' => first,
        other => return Err(format!("unknown escape \\{other} in a text")),
    });
    Ok(&text[first.len_utf8()..])
}

fn number(text: &str) -> Result<(Literal, &str), String> {
    let bad = |text: &str| format!("{text:?} is no number");
    if let Some(hex) = text.strip_prefix("0x") {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = i64::from_str_radix(&hex[..end], 16).map_err(|_| bad(text))?;
        return Ok((Literal::Int(value), &hex[end..]));
    }
    let is_part = |(at, c): (usize, char)| {
        let after_e = text[..at].ends_with(['e', 'E']);
        c.is_ascii_digit() || c == '.' || matches!(c, 'e' | 'E') || (after_e && "+-".contains(c))
    };
    let end = text.char_indices().find(|found| !is_part(*found)).map_or(text.len(), |(at, _)| at);
    let (digits, rest) = text.split_at(end);
    if digits.contains(['.', 'e', 'E']) {
        return Ok((Literal::Double(digits.parse().map_err(|_| bad(digits))?), rest));
    }
    if let Some(rest) = rest.strip_prefix(['u', 'U']) {
        return Ok((Literal::Uint(digits.parse().map_err(|_| bad(digits))?), rest));
    }
    Ok((Literal::Int(digits.parse().map_err(|_| bad(digits))?), rest))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Names that macros have bound, the innermost last.
    names: Vec<Text>,
    depth: usize,
}

impl Parser {
    fn take(&mut self, operator: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Operator(o)) if *o == operator);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, operator: &str) -> Result<(), String> {
        if self.take(operator) {
            return Ok(());
        }
        let found = self.tokens.get(self.at).map_or("the end".to_owned(), told);
        Err(format!("expected {operator:?}, found {found}"))
    }

    fn one_of(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        operators.iter().find(|operator| self.take(operator)).copied()
    }

    fn word(&mut self) -> Result<Text, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            other => {
                let found = other.map_or("the end".to_owned(), told);
                Err(format!("expected a name, found {found}"))
            }
        }
    }

    fn expression(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels deep"));
        }
        let condition = self.any()?;
        let found = if self.take("?") {
            let yes = self.any()?;
            self.expect(":")?;
            let no = self.expression()?;
            Expr::If { condition: condition.into(), yes: yes.into(), no: no.into() }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(found)
    }

    fn any(&mut self) -> Result<Expr, String> {
        let mut terms = vec![self.all()?];
        while self.take("||") {
            terms.push(self.all()?);
        }
        Ok(one_or(terms, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, String> {
        let mut terms = vec![self.relation()?];
        while self.take("&&") {
            terms.push(self.relation()?);
        }
        Ok(one_or(terms, Expr::All))
    }

    fn relation(&mut self) -> Result<Expr, String> {
        let mut left = self.sum()?;
        loop {
            if let Some(operator) = self.one_of(&["==", "!="]) {
                let right = self.sum()?.into();
                let negated = operator == "!=";
                left = Expr::Equal { left: left.into(), right, negated };
            } else if let Some(operator) = self.one_of(&["<=", ">=", "<", ">"]) {
                let right = self.sum()?.into();
                left = Expr::Compare { left: left.into(), right, operator };
            } else if self.tokens.get(self.at) == Some(&Token::Word("in".into())) {
                self.at += 1;
                left = Expr::In { item: left.into(), of: self.sum()?.into() };
            } else {
                return Ok(left);
            }
        }
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.one_of(&["+", "-"]) {
            let right = self.product()?.into();
            left = Expr::Arithmetic { left: left.into(), right, operator };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr, String> {
        let mut left = self.unary()?;
        while let Some(operator) = self.one_of(&["*", "/", "%"]) {
            let right = self.unary()?.into();
            left = Expr::Arithmetic { left: left.into(), right, operator };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        let operator = self.one_of(&["!", "-"]);
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels deep"));
        }
        let found = match operator {
            Some("!") => Expr::Not(self.unary()?.into()),
            Some(_) => match self.unary()? {
                Expr::Literal(Literal::Int(value)) => Expr::Literal(Literal::Int(-value)),
                Expr::Literal(Literal::Double(value)) => Expr::Literal(Literal::Double(-value)),
                other => Expr::Negative(other.into()),
            },
            None => self.member()?,
        };
        self.depth -= 1;
        Ok(found)
    }

    fn member(&mut self) -> Result<Expr, String> {
        let mut found = self.primary()?;
        loop {
            if self.take(".") {
                let optional = self.take("?");
                let name = self.word()?;
                found = match !optional && self.take("(") {
                    true => self.method(found, &name)?,
                    false => {
                        known_field(&found, &name)?;
                        let key = Expr::Literal(Literal::Text(name)).into();
                        Expr::Select { of: found.into(), key, optional }
                    }
                };
            } else if self.take("[") {
                let optional = self.take("?");
                let key = self.expression()?.into();
                self.expect("]")?;
                found = Expr::Select { of: found.into(), key, optional };
            } else {
                return Ok(found);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, String> {
        if self.take("(") {
            let found = self.expression()?;
            self.expect(")")?;
            return Ok(found);
        }
        if self.take("[") {
            return Ok(Expr::List(self.list("]")?));
        }
        if let Some(Token::Literal(literal)) = self.tokens.get(self.at) {
            self.at += 1;
            return Ok(Expr::Literal(literal.clone()));
        }
        let name = self.word()?;
        if matches!(&*name, "cel" | "optional") && self.take(".") {
            let part = self.word()?;
            self.expect("(")?;
            return match (&*name, &*part) {
                ("cel", "bind") => self.bind(),
                _ => self.call(&format!("{name}.{part}")),
            };
        }
        if self.take("(") {
            return match &*name {
                "has" => self.has(),
                other => self.call(other),
            };
        }
        match *name == *DEVICE || self.names.contains(&name) {
            true => Ok(Expr::Name(name)),
            false => Err(format!("undeclared reference to {name:?}")),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.expression()?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let arguments = self.list(")")?;
        call(name, false, arguments)
    }

    fn method(&mut self, of: Expr, name: &str) -> Result<Expr, String> {
        let kind = match name {
            "exists" => Each::Exists,
            "all" => Each::All,
            "exists_one" => Each::ExistsOne,
            "filter" => Each::Filter,
            "map" => Each::Map,
            _ => {
                let mut arguments = vec![of];
                arguments.extend(self.list(")")?);
                return call(name, true, arguments);
            }
        };
        let name = self.word()?;
        self.expect(",")?;
        let body = self.within(&name)?;
        self.expect(")")?;
        Ok(Expr::Each { kind, name, of: of.into(), body: body.into() })
    }

    fn bind(&mut self) -> Result<Expr, String> {
        let name = self.word()?;
        self.expect(",")?;
        let value = self.expression()?.into();
        self.expect(",")?;
        let body = self.within(&name)?.into();
        self.expect(")")?;
        Ok(Expr::Bind { name, value, body })
    }

    fn within(&mut self, name: &Text) -> Result<Expr, String> {
        self.names.push(name.clone());
        let found = self.expression();
        self.names.pop();
        found
    }

    fn has(&mut self) -> Result<Expr, String> {
        let found = self.expression()?;
        self.expect(")")?;
        match found {
            Expr::Select { of, key, optional: false } => match *key {
                Expr::Literal(Literal::Text(field)) => Ok(Expr::Has { of, field }),
                _ => Err("has() takes a field".to_owned()),
            },
            _ => Err("has() takes a field".to_owned()),
        }
    }
}

fn one_or(mut terms: Vec<Expr>, several: impl Fn(Vec<Expr>) -> Expr) -> Expr {
    match terms.len() {
        1 => terms.remove(0),
        _ => several(terms),
    }
}

/// The device has four fields.
fn known_field(of: &Expr, field: &str) -> Result<(), String> {
    if *of == Expr::Name(DEVICE.into()) && !FIELDS.contains(&field) {
        return Err(format!("undefined field {field:?}: a device has {}", FIELDS.join(", ")));
    }
    Ok(())
}

fn call(name: &str, is_method: bool, arguments: Vec<Expr>) -> Result<Expr, String> {
    let unknown = || match is_method {
        true => format!("the method {name:?} is not understood here"),
        false => format!("the function {name:?} is not understood here"),
    };
    let (function, fewest, most) = Function::of(name, is_method).ok_or_else(unknown)?;
    if arguments.len() < fewest || arguments.len() > most {
        return Err(format!("{name:?}: wrong number of arguments"));
    }
    Ok(worked_out(function, &arguments).unwrap_or(Expr::Call { function, arguments }))
}

/// Quantities and versions of literals are worked out once. Wrong ones fail when they are used.
fn worked_out(function: Function, arguments: &[Expr]) -> Option<Expr> {
    let [Expr::Literal(Literal::Text(text))] = arguments else { return None };
    let literal = match function {
        Function::Quantity => Literal::Quantity(text.parse::<Quantity>().ok()?),
        Function::Semver => Literal::Semver(Semver::parse(text).ok()?),
        _ => return None,
    };
    Some(Expr::Literal(literal))
}
