//! A user's own prices: a file that the scenario names, in place of the catalogue's.
//!
//! It reads the file; whose prices they become is `resolve`'s business.

use super::file::ScenarioFile;
use super::resolve::Resolver;
use super::strict::{Decoded, decode};
use super::yaml;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PriceBook {
    /// Since when these prices hold; for the reader.
    #[allow(dead_code, reason = "it is there to be read by people")]
    pub date: String,
    /// Where they are from; for the reader.
    #[allow(dead_code, reason = "it is there to be read by people")]
    pub source: String,
    /// Their currency.
    #[serde(default)]
    pub currency: Option<String>,
    /// Prices by the names of machine types.
    pub machines: BTreeMap<String, Price>,
}

/// Prices of a machine type.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Price {
    /// An hour of a machine on demand.
    pub price_per_hour: f64,
    /// An hour of a spot machine.
    #[serde(default)]
    pub spot_price_per_hour: Option<f64>,
}

impl Resolver<'_> {
    /// The price book that the scenario names; an empty one if it names none or can't be read.
    pub(super) fn price_book(&mut self, file: &ScenarioFile) -> PriceBook {
        let Some(name) = &file.price_book else { return PriceBook::default() };
        let path = self.folder.join(name);
        let shown = path.display().to_string();
        let at = self.place("price-book");
        let Some(text) = self.sources.text(&path, &shown, Some(at)) else {
            return PriceBook::default();
        };
        let documents = match yaml::parse(&text) {
            Ok(documents) => documents,
            Err(error) => {
                self.sources.out.at(&shown, error.span, error.message, None);
                return PriceBook::default();
            }
        };
        let Some(document) = documents.first() else {
            let hint = Some("date, source and machines".to_owned());
            self.sources.out.at(&shown, 0..0, "a price book is empty".to_owned(), hint);
            return PriceBook::default();
        };
        let Decoded { value, faults, .. } = decode::<PriceBook>(document);
        for fault in faults {
            self.sources.out.at(&shown, fault.span, fault.message, fault.hint);
        }
        let book = value.unwrap_or_default();
        for (name, price) in &book.machines {
            let prices = [Some(price.price_per_hour), price.spot_price_per_hour];
            if prices.into_iter().flatten().any(|price| !(price >= 0.0 && price.is_finite())) {
                let span = document.nearest("machines").nearest(name).span.clone();
                let message = format!("the price of `{name}` is none: 0 or more");
                self.sources.out.at(&shown, span, message, None);
            }
        }
        book
    }
}
