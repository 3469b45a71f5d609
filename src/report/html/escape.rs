//! Text of users, made harmless in markup.

/// `text` with all characters that mean something in HTML or XML, also inside quoted attributes,
/// written as entities.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in XML at all.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        let rows = [
            ("plain text is itself", "demand, 12,400 req/s", "demand, 12,400 req/s"),
            ("tags are text", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("entities are text", "a &lt; b", "a &amp;lt; b"),
            ("quotes don't end attributes", "\" onload='x'", "&quot; onload=&#39;x&#39;"),
            ("what XML forbids is replaced", "a\u{0}b", "a\u{FFFD}b"),
        ];
        for (sentence, text, expected) in rows {
            assert_eq!(escape(text), expected, "{sentence}");
        }
    }
}
