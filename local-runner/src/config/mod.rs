//! From `gateway.yaml` and the files that it includes to one document for `portico-core`, and from what is said of that
//! document back to file, line and column.
//!
//! ```text
//! load(path) ──► Loaded { document, sources, notes } ──► portico_core::config::compile(&document)
//!                                  │                                     │ Findings
//!                                  └────────► loaded.report(&findings) ◄─┘
//!                                                       └──► render(Style::…)
//! ```

mod builder;
mod excerpt;
mod include;
mod key_sets;
mod load;
mod merge;
mod report;
mod scalar;
mod sources;
mod syntax;
mod tree;
mod yaml;

pub use builder::{MAX_DEPTH, MAX_NODES};
pub use load::{Loaded, load};
pub use report::{Note, Report, Style};
pub use sources::{Source, Sources};
pub use tree::{FileId, Node, Span};
pub use yaml::{MAX_BYTES, parse};
