//! Colours with one meaning each in all plots, told apart by colour-blind people and on projectors.
//!
//! After Okabe and Ito, "Color Universal Design" (2008). The page's style sheet maps them to
//! lighter ones on dark screens, by their hexadecimal names below.

use plotters::style::RGBColor;

/// Text and demand: `#1F2937`.
pub(super) const INK: RGBColor = RGBColor(0x1F, 0x29, 0x37);
/// Labels of axes: `#5B6472`.
pub(super) const MUTED: RGBColor = RGBColor(0x5B, 0x64, 0x72);
/// Grid lines: `#E3E7EC`.
pub(super) const GRID: RGBColor = RGBColor(0xE3, 0xE7, 0xEC);
/// Turning points: `#9AA3B0`.
pub(super) const MARK: RGBColor = RGBColor(0x9A, 0xA3, 0xB0);
/// The sheet: `#FFFFFF`.
pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// What works: ready pods and nodes: `#0072B2`.
pub(super) const READY: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// What is on its way, and requests served: `#56B4E9`.
pub(super) const COMING: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
/// What could be served: `#009E73`.
pub(super) const CAPACITY: RGBColor = RGBColor(0x00, 0x9E, 0x73);
/// What waits: `#E69F00`.
pub(super) const WAITING: RGBColor = RGBColor(0xE6, 0x9F, 0x00);
/// What fails: `#D55E00`.
pub(super) const FAILED: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// What must not be passed: `#A64D79`, a darker kin of the set's purple, as lines are thin.
pub(super) const LIMIT: RGBColor = RGBColor(0xA6, 0x4D, 0x79);

/// Shares of failed requests, from `#E8EEF4` (none) to `#7A2E00` (most).
pub(super) const FAILURE_STEPS: [RGBColor; 5] = [
    RGBColor(0xE8, 0xEE, 0xF4),
    RGBColor(0xFB, 0xDF, 0xA6),
    RGBColor(0xF0, 0xB0, 0x3C),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x7A, 0x2E, 0x00),
];
