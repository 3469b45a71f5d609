//! Strict decoding of a YAML tree into typed values, with all errors and their places.
//!
//! A serde `Deserializer` over [`Node`]: it refuses what the API server refuses (a number where a
//! text belongs), notices fields that a type does not have, and after an error takes the offending
//! node out and tries again, so that one run finds all errors of a document.

use super::diagnostic::did_you_mean;
use super::yaml::{Entry, Node, Span, Value};
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use std::cell::RefCell;
use std::fmt;

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Most errors told of one document.
const ENOUGH: usize = 50;

/// A document as decoded, and what is wrong with it.
#[derive(Debug)]
pub struct Decoded<T> {
    /// Its value. Where there are faults, that of what is left without them: good for looking for
    /// further errors, and for nothing else. `None`: nothing is left.
    pub value: Option<T>,
    /// The tree that the value was decoded from: the document's, less what was taken out.
    pub tree: Node,
    /// All faults of form.
    pub faults: Vec<Fault>,
}

/// Decodes a document.
pub fn decode<T: DeserializeOwned>(document: &Node) -> Decoded<T> {
    let mut value = None;
    let (tree, faults) = find_faults(document, &mut |decoder| {
        value = Some(T::deserialize(decoder)?);
        Ok(())
    });
    Decoded { value, tree, faults }
}

/// Whether a fault that was taken out of `document` can be why something is wrong at `path` of what
/// is left of it, `tree`. It can if it stood near: in the same item of a list, or below the same
/// second key.
pub fn is_doubtful(document: &Node, tree: &Node, path: &str) -> bool {
    let near = tree.vicinity(path);
    !document.contains(near)
}

/// What of the document is left to decode, and all faults found. Compiled once, not for each of the
/// hundreds of types of Kubernetes' API.
fn find_faults(
    document: &Node,
    decode: &mut dyn FnMut(Decoder<'_>) -> Result<(), Error>,
) -> (Node, Vec<Fault>) {
    let mut tree = document.clone();
    let mut faults: Vec<Fault> = Vec::new();
    let mut pruned: Vec<String> = Vec::new();
    for _ in 0..ENOUGH {
        let unknown = RefCell::new(Vec::new());
        let result = decode(Decoder { node: &tree, unknown: &unknown });
        let unknown = unknown.into_inner();
        let places: Vec<Span> = unknown.iter().map(|fault| fault.span.clone()).collect();
        for fault in unknown {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        let Err(error) = result else {
            places.iter().for_each(|place| drop(prune(&mut tree, place)));
            break;
        };
        let span = error.span.clone().unwrap_or(tree.span.clone());
        // A field that is missing because its faulty value was taken out is no news; what needs it
        // goes too, so that the rest can be looked at.
        if !error.missing.as_ref().is_some_and(|field| pruned.contains(field)) {
            faults.push(Fault { span: span.clone(), message: error.message, hint: error.hint });
        }
        match prune(&mut tree, &span) {
            Some(key) => pruned.push(key),
            None => break,
        }
    }
    (tree, faults)
}

/// Takes the innermost entry or item at a place out of the tree; tells its key.
fn prune(node: &mut Node, span: &Span) -> Option<String> {
    match &mut node.value {
        Value::List(items) => {
            if let Some(at) = items.iter().position(|item| item.span == *span) {
                // Inside first: a list item that is a mapping may begin where its first value does.
                return prune(&mut items[at], span).or_else(|| {
                    items.remove(at);
                    Some(String::new())
                });
            }
            items.iter_mut().find_map(|item| prune(item, span))
        }
        Value::Map(entries) => {
            let hit = |e: &Entry| e.node.span == *span || e.key_span == *span;
            if let Some(at) = entries.iter().position(hit) {
                return prune(&mut entries[at].node, span).or_else(|| Some(entries.remove(at).key));
            }
            entries.iter_mut().find_map(|entry| prune(&mut entry.node, span))
        }
        _ => None,
    }
}

/// An error while decoding.
#[derive(Debug)]
pub struct Error {
    span: Option<Span>,
    message: String,
    hint: Option<String>,
    missing: Option<String>,
}

impl Error {
    /// At this place, unless it has one already.
    #[inline(never)]
    fn placed(mut self, span: &Span) -> Error {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        // `message|hint`: how our own types hand over a hint.
        let (message, hint) = match text.split_once('|') {
            Some((message, hint)) => (message.to_string(), Some(hint.to_string())),
            None => (text, None),
        };
        Error { span: None, message, hint, missing: None }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Error::found(&found, &expected.to_string())
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Error::found(&found, &expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn de::Expected) -> Self {
        let message = format!("expected {}, found a list", named(&expected.to_string()));
        Error { span: None, message, hint: None, missing: None }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let (message, hint) = unknown(field, expected);
        Error { span: None, message, hint, missing: None }
    }

    fn missing_field(field: &'static str) -> Self {
        let message = format!("missing field `{field}`");
        Error { span: None, message, hint: None, missing: Some(field.to_string()) }
    }
}

impl Error {
    /// A value that can't be what is expected.
    fn found(found: &de::Unexpected<'_>, expected: &str) -> Error {
        let expected = named(expected);
        let message = match found {
            de::Unexpected::Bool(b) => format!("expected {expected}, found the boolean {b}"),
            de::Unexpected::Unsigned(n) => format!("expected {expected}, found {n}"),
            de::Unexpected::Signed(n) => format!("expected {expected}, found {n}"),
            de::Unexpected::Float(x) => format!("expected {expected}, found {x}"),
            de::Unexpected::Str(text) => format!("expected {expected}, found `{text}`"),
            de::Unexpected::Seq => format!("expected {expected}, found a list"),
            de::Unexpected::Map => format!("expected {expected}, found a mapping"),
            de::Unexpected::Unit | de::Unexpected::Option => {
                format!("expected {expected}, found nothing")
            }
            other => format!("expected {expected}, found {other}"),
        };
        let quotes = "a text that looks like something else is written in quotes";
        let boolean = "y, n, yes, no, on and off are booleans, as in Kubernetes; a text is \
                       written in quotes";
        let hint = match found {
            de::Unexpected::Bool(_) if expected == "a text" => Some(boolean),
            de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) | de::Unexpected::Float(_)
                if expected == "a text" =>
            {
                Some(quotes)
            }
            _ => None,
        };
        Error { span: None, message, hint: hint.map(str::to_string), missing: None }
    }
}

/// What serde expects, in words of YAML.
fn named(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    }
}

fn unknown(field: &str, expected: &[&str]) -> (String, Option<String>) {
    let message = format!("unknown field `{field}`");
    let hint = match did_you_mean(field, expected.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("known fields: {}", expected.join(", ")),
    };
    (message, Some(hint))
}

struct Decoder<'a> {
    node: &'a Node,
    unknown: &'a RefCell<Vec<Fault>>,
}

// What is generic below is compiled for each type that is decoded, several hundred times: so it is
// kept short, what does not depend on the type is moved out of it, and a type's fields are not
// inlined into it, down the whole tree.
impl<'a> Decoder<'a> {
    /// Whatever stands there.
    fn any<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        fields: Option<&'static [&'static str]>,
    ) -> Result<V::Value, Error> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Int(i) => match (u64::try_from(*i), i64::try_from(*i)) {
                (Ok(u), _) => visitor.visit_u64(u),
                (_, Ok(i)) => visitor.visit_i64(i),
                _ => Err(too_large()),
            },
            Value::Float(f) => visitor.visit_f64(*f),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(self.items(items)),
            Value::Map(entries) => visitor.visit_map(self.entries(entries, fields)),
        };
        result.map_err(|error: Error| error.placed(&self.node.span))
    }

    /// A list, for types that are nothing else.
    #[inline(never)]
    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::List(items) = &self.node.value else { return Err(self.not(&visitor)) };
        visitor.visit_seq(self.items(items)).map_err(|error| error.placed(&self.node.span))
    }

    /// A mapping, for types that are nothing else.
    #[inline(never)]
    fn map<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        fields: Option<&'static [&'static str]>,
    ) -> Result<V::Value, Error> {
        let Value::Map(entries) = &self.node.value else { return Err(self.not(&visitor)) };
        visitor
            .visit_map(self.entries(entries, fields))
            .map_err(|error| error.placed(&self.node.span))
    }

    fn items(&self, items: &'a [Node]) -> Items<'a> {
        Items { items: items.iter(), unknown: self.unknown }
    }

    fn entries(
        &self,
        entries: &'a [Entry],
        fields: Option<&'static [&'static str]>,
    ) -> Entries<'a> {
        Entries { entries: entries.iter(), value: None, unknown: self.unknown, fields }
    }

    /// That what stands there is not what is expected.
    #[inline(never)]
    fn not(&self, expected: &dyn Expected) -> Error {
        let found = match &self.node.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(b) => Unexpected::Bool(*b),
            Value::Int(i) => match (u64::try_from(*i), i64::try_from(*i)) {
                (Ok(u), _) => Unexpected::Unsigned(u),
                (_, Ok(i)) => Unexpected::Signed(i),
                _ => return too_large().placed(&self.node.span),
            },
            Value::Float(f) => Unexpected::Float(*f),
            Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        };
        let error: Error = de::Error::invalid_type(found, expected);
        error.placed(&self.node.span)
    }
}

fn too_large() -> Error {
    de::Error::custom("the number is too large")
}

struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
    unknown: &'a RefCell<Vec<Fault>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let next = self.items.next();
        next.map(|node| seed.deserialize(Decoder { node, unknown: self.unknown })).transpose()
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    value: Option<&'a Node>,
    unknown: &'a RefCell<Vec<Fault>>,
    fields: Option<&'static [&'static str]>,
}

impl<'a> Entries<'a> {
    /// The next entry that the type has a field for; others are noted.
    fn next_known(&mut self) -> Option<&'a Entry> {
        // Types of k8s-openapi ignore what they don't know: noticed here instead.
        let known = |key: &str| self.fields.is_none_or(|fields| fields.contains(&key));
        for entry in self.entries.by_ref() {
            if known(&entry.key) {
                self.value = Some(&entry.node);
                return Some(entry);
            }
            let (message, hint) = unknown(&entry.key, self.fields.unwrap_or_default());
            self.unknown.borrow_mut().push(Fault { span: entry.key_span.clone(), message, hint });
        }
        None
    }

    fn take_value(&mut self) -> Result<Decoder<'a>, Error> {
        let node = self.value.take().ok_or_else(|| de::Error::custom("a value before its key"))?;
        Ok(Decoder { node, unknown: self.unknown })
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(entry) = self.next_known() else { return Ok(None) };
        let key: StrDeserializer<'_, Error> = entry.key.as_str().into_deserializer();
        match seed.deserialize(key) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.placed(&entry.key_span)),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.take_value()?)
    }
}

/// A variant: a word, or a mapping of one word to its content.
struct Variant<'a> {
    name: &'a str,
    content: Option<Decoder<'a>>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Variant<'a>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(de::Error::custom(format!("`{}` takes no content", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self.content {
            Some(content) => seed.deserialize(content),
            None => Err(de::Error::custom(format!("`{}` needs content", self.name))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        match self.content {
            Some(content) => content.list(visitor),
            None => Err(de::Error::custom(format!("`{}` needs content", self.name))),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.content {
            Some(content) => content.map(visitor, Some(fields)),
            None => Err(de::Error::custom(format!("`{}` needs fields", self.name))),
        }
    }
}

macro_rules! forward {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.any(visitor, None)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Decoder<'_> {
    type Error = Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
        deserialize_string
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.value == Value::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        // Quantities may be written as numbers; everything else that is a text must be one.
        if name == "Quantity" {
            let text = match &self.node.value {
                Value::Int(i) => Some(i.to_string()),
                Value::Float(f) => Some(f.to_string()),
                _ => None,
            };
            if let Some(text) = text {
                let inner: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
                return visitor.visit_newtype_struct(inner);
            }
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.map(visitor, Some(fields))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(visitor, None)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let span = self.node.span.clone();
        let variant = match &self.node.value {
            Value::Text(name) => Variant { name, content: None },
            Value::Map(entries) if entries.len() == 1 => Variant {
                name: &entries[0].key,
                content: Some(Decoder { node: &entries[0].node, unknown: self.unknown }),
            },
            _ => {
                let message = format!("expected one of {}", variants.join(", "));
                return Err(Error { span: Some(span), message, hint: None, missing: None });
            }
        };
        if !variants.contains(&variant.name) {
            let message = format!("unknown word `{}`", variant.name);
            let hint = match did_you_mean(variant.name, variants.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known: {}", variants.join(", ")),
            };
            return Err(Error { span: Some(span), message, hint: Some(hint), missing: None });
        }
        visitor.visit_enum(variant).map_err(|error: Error| error.placed(&span))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.any(visitor, None)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::yaml::parse;
    use k8s_openapi::api::apps::v1::Deployment;

    fn faults(text: &str) -> Vec<(String, String, Option<String>)> {
        let document = parse(text).unwrap().remove(0);
        let faults = decode::<Deployment>(&document).faults;
        let place =
            |f: &Fault| text[f.span.start..].split_whitespace().next().unwrap_or("").to_string();
        faults.into_iter().map(|f| (place(&f), f.message.clone(), f.hint)).collect()
    }

    #[test]
    fn all_errors_of_a_manifest_are_found_at_their_places() {
        let found = faults(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replcias: 3\n  \
             replicas: three\n  selector: {}\n  template:\n    spec:\n      containers:\n        \
             - name: a\n          image: 7\n          ports:\n            - containerPort: \"80\"\n",
        );
        let places: Vec<&str> = found.iter().map(|(place, _, _)| place.as_str()).collect();
        for expected in ["replcias:", "three", "7", "\"80\""] {
            assert!(places.contains(&expected), "{expected} in {found:#?}");
        }
        assert!(
            found.iter().any(|(_, _, hint)| hint.as_deref() == Some("did you mean `replicas`?"))
        );
    }

    #[test]
    fn a_fault_in_a_required_field_does_not_hide_the_others() {
        let found = faults(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {}\n  \
             template:\n    spec:\n      containers:\n        - name: 7\n          image: a\n      \
             priority: high\n  replicas: three\n",
        );
        let places: Vec<&str> = found.iter().map(|(place, _, _)| place.as_str()).collect();
        for expected in ["7", "high", "three"] {
            assert!(places.contains(&expected), "{expected} in {found:#?}");
        }
        assert_eq!(found.len(), 3, "nothing is told that is a consequence: {found:#?}");
    }

    #[test]
    fn fields_have_names_not_places() {
        #[derive(Debug, serde::Deserialize)]
        struct Sized {
            #[allow(dead_code, reason = "only read")]
            cores: u8,
        }
        let read = decode::<Sized>(&parse("[4]").unwrap().remove(0));
        assert!(read.value.is_none());
        assert_eq!(read.faults[0].message, "expected a mapping, found a list");
    }

    #[test]
    fn quantities_and_ports_may_be_numbers_or_texts() {
        let found = faults(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {}\n  \
             strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}}\n  template:\n    spec:\n      \
             containers:\n        - name: a\n          resources: {limits: {cpu: 1, memory: 1Gi}}\n",
        );
        assert_eq!(found, []);
    }
}
