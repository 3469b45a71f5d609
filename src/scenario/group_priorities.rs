//! The ConfigMap with which `--expander=priority` ranks node groups.
//!
//! Its form is upstream's (cluster-autoscaler `expander/priority/readme.md`, August 2026): under
//! the key `priorities` a YAML text, numbers with regular expressions for names of groups.

use super::manifests::{Manifests, Place};
use super::model::Flags;
use super::resolve::Resolver;
use super::yaml::{self, Node, Value};
use crate::api::config::ConfigKind;
use crate::api::object::Object;
use crate::control::flags::{Expander, GroupPriorities};

const NAME: &str = "cluster-autoscaler-priority-expander";
const NAMESPACE: &str = "kube-system";
const KEY: &str = "priorities";
const FORM: &str = "numbers with lists of regular expressions, like `50: [.*large.*]`";

/// The value under [`KEY`] of the ConfigMap, if the manifests have it, and where that stands.
pub(super) fn find(manifests: &Manifests) -> Option<(Place, Option<String>)> {
    let is_it = |object: &Object| match object {
        Object::Config(config) => {
            let meta = &config.meta;
            config.kind == ConfigKind::ConfigMap
                && *meta.name == *NAME
                && *meta.namespace == *NAMESPACE
        }
        _ => false,
    };
    let (_, place, _) = manifests.applied.iter().find(|(object, ..)| is_it(object))?;
    let data = place.document.get("data").and_then(|data| data.get(KEY));
    Some((place.clone(), data.and_then(Node::as_text).map(str::to_owned)))
}

impl Resolver<'_> {
    /// Gives the autoscaler the ranks that the manifests tell, if its expander asks for them.
    pub(super) fn group_priorities(
        &mut self,
        found: Option<(Place, Option<String>)>,
        flags: &mut Flags,
    ) {
        let Some(autoscaler) = &mut flags.cluster_autoscaler else { return };
        if !autoscaler.expander.contains(&Expander::Priority) {
            return;
        }
        let Some((place, text)) = found else {
            let hint = "upstream adds no node then; add the ConfigMap to the manifests".to_owned();
            let message = format!("`priority` needs the ConfigMap {NAMESPACE}/{NAME}");
            return self.error("flags.cluster-autoscaler.expander", message, Some(hint));
        };
        match text.ok_or(format!("`{KEY}` is missing")).and_then(|text| read(&text)) {
            Ok(priorities) => autoscaler.priorities = priorities,
            Err(message) => {
                let span = place.document.nearest(&format!("data.{KEY}")).span.clone();
                self.sources.out.at(&place.file, span, message, Some(FORM.to_owned()));
            }
        }
    }
}

/// Reads the text; highest first.
fn read(text: &str) -> Result<GroupPriorities, String> {
    let documents = yaml::parse(text).map_err(|error| format!("is no YAML: {}", error.message))?;
    let [Node { value: Value::Map(entries), .. }] = &documents[..] else {
        return Err("names no priorities".to_owned());
    };
    let mut all = GroupPriorities::new();
    for entry in entries {
        let priority = entry.key.parse();
        let priority = priority.map_err(|_| format!("`{}` is no priority", entry.key))?;
        let mut names = Vec::new();
        for name in entry.node.items() {
            let name = name.as_text().ok_or("a name of groups is no text")?;
            if let Err(error) = regex_lite::Regex::new(name) {
                return Err(format!("`{name}` is no regular expression: {error}"));
            }
            names.push(name.to_owned());
        }
        all.push((priority, names));
    }
    all.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn priorities_are_read_highest_first() {
        let text = "10:\n  - .*t2.*\n50:\n  - .*m4.*\n  - spot\n";
        let expected = vec![
            (50, vec![".*m4.*".to_owned(), "spot".to_owned()]),
            (10, vec![".*t2.*".to_owned()]),
        ];
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn what_is_wrong_with_them_is_said() {
        for (sentence, text) in [
            ("nothing is there", ""),
            ("a list has no numbers", "- a"),
            ("a word is no priority", "high: [a]"),
            ("a negative number is none", "-1: [a]"),
            ("an expression that can't be read", "1: [\"(\"]"),
            ("broken YAML", "1: ["),
        ] {
            assert!(read(text).is_err(), "{sentence}");
        }
    }
}
