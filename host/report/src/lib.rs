//! A run's records as one page that can be mailed: tables, curves and sample outputs.
//!
//! Reads `omni-record` alone, never the engine, so that old runs render. The page is self-contained
//! (inline SVG and CSS, no script, no network) and the same records give the same bytes. Whatever a
//! model wrote is escaped: its output may be hostile HTML.

pub mod html;
pub mod svg;
