//! stub
/// stub
pub fn story(_: &crate::record::summary::Summary, _: Option<&std::path::Path>) -> String { String::new() }
