//! Errors with their place in a file, rendered for people.

use super::yaml::Span;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// File as the user named it.
    pub file: String,
    /// Bytes in it; `None`: the file as a whole.
    pub span: Option<Span>,
    /// Path of the field; may be empty.
    pub path: String,
    /// What is wrong and what was expected.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Everything that is wrong with an input, and the texts to show it in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// In the order of files and places.
    pub errors: Vec<Diagnostic>,
    /// Name and content of the files read.
    pub files: Vec<(String, String)>,
}

impl Diagnostics {
    /// Notes an error about a file as a whole.
    pub fn file(&mut self, file: &str, message: impl Into<String>, hint: Option<String>) {
        self.errors.push(Diagnostic {
            file: file.to_string(),
            span: None,
            path: String::new(),
            message: message.into(),
            hint,
        });
    }

    /// Notes an error at a place of a file, where no field's path is known.
    pub fn at(&mut self, file: &str, span: Span, message: impl Into<String>, hint: Option<String>) {
        let (file, path) = (file.to_string(), String::new());
        self.errors.push(Diagnostic {
            file,
            span: Some(span),
            path,
            message: message.into(),
            hint,
        });
    }

    /// Notes an error about a text that stands, as to places, at byte `offset` of a file.
    pub fn misplaced(
        &mut self,
        file: &str,
        offset: usize,
        (span, message, hint): (Span, String, Option<String>),
    ) {
        self.at(file, span.start + offset..span.end + offset, message, hint);
    }

    /// Line and column (from 1) of a byte of a file.
    pub fn line_column(&self, file: &str, byte: usize) -> (usize, usize) {
        let text = self.text(file);
        let before = &text[..floor(text, byte)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn text(&self, file: &str) -> &str {
        self.files.iter().find(|(name, _)| name == file).map_or("", |(_, text)| text)
    }

    /// In the order of files as they were read, then of places; equal ones once.
    pub fn sort(&mut self) {
        let order = |file: &str| self.files.iter().position(|(name, _)| name == file);
        let mut errors = std::mem::take(&mut self.errors);
        errors.sort_by_key(|e| (order(&e.file), e.span.as_ref().map_or(0, |span| span.start)));
        errors.dedup();
        self.errors = errors;
    }

    fn render(&self, error: &Diagnostic) -> String {
        let mut title = error.message.clone();
        if !error.path.is_empty() {
            title = format!("{}: {title}", error.path);
        }
        let text = self.text(&error.file);
        let Some(span) = error.span.clone().filter(|_| !text.is_empty()) else {
            let hint =
                error.hint.as_ref().map_or(String::new(), |hint| format!("\n  = help: {hint}"));
            return format!("error: {title}\n --> {}{hint}", error.file);
        };
        let start = floor(text, span.start);
        // One line is enough to find the place.
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end.clamp(start, line_end));
        let annotation = AnnotationKind::Primary.span(start..end.max(start));
        let snippet = Snippet::source(text).path(error.file.as_str()).annotation(annotation);
        let mut group = Level::ERROR.primary_title(title.as_str()).element(snippet);
        if let Some(hint) = &error.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        Renderer::plain().render(&[group]).to_string()
    }
}

/// The nearest character boundary at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    let mut at = byte.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "{}\n", self.render(error))?;
        }
        let n = self.errors.len();
        write!(f, "{n} error{}", if n == 1 { "" } else { "s" })
    }
}

impl std::error::Error for Diagnostics {}

/// The known word that a mistyped one probably meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let best = near.min_by_key(|(distance, _)| *distance)?;
    (best.0 <= 1 + word.chars().count() / 4).then_some(best.1)
}

/// Edits between two words (Levenshtein), case and `_`/`-` not counted.
fn distance(a: &str, b: &str) -> usize {
    let fold = |s: &str| -> Vec<char> { s.to_lowercase().replace('_', "-").chars().collect() };
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(x != y));
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let known = ["replicas", "selector", "template", "latency_p95"];
        let rows = [
            ("a swap of letters", "replcias", Some("replicas")),
            ("a dash for an underscore", "latency-p95", Some("latency_p95")),
            ("something else entirely", "bananas", None),
        ];
        for (sentence, word, expected) in rows {
            assert_eq!(did_you_mean(word, known), expected, "{sentence}");
        }
    }
}
