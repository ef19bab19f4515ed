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
mod checks;
mod excerpt;
mod include;
mod key_sets;
mod load;
mod merge;
mod note;
mod report;
mod sarif;
mod scalar;
mod sources;
mod syntax;
mod tree;
mod yaml;

pub use builder::{MAX_DEPTH, MAX_NODES};
pub use checks::entry;
pub use load::{Loaded, load, load_plain, load_text, parse_plain};
pub use note::{Note, Waived};
pub use report::{Report, Search, Style};
pub use sources::{Place, Source, Sources};
pub use tree::{FileId, Node, Span};
pub use yaml::{MAX_BYTES, parse};
