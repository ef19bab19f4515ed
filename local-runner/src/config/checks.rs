//! `docs/checks.md`, which says about every code what can go wrong and how to mend it, as a book to look things up in.

use portico_core::config::Code;

const BOOK: &str = include_str!("../../../docs/checks.md");

/// What the documentation says about a code, without its heading: Markdown.
pub fn entry(code: Code) -> &'static str {
    let heading = format!("\n### `{code}`\n");
    let entry = BOOK.split_once(&heading).map_or("", |(_, behind)| behind);
    // the next entry or the next chapter
    let end = ["\n### ", "\n## "].iter().filter_map(|heading| entry.find(heading)).min();
    entry.get(..end.unwrap_or(entry.len())).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_entry_of_its_own() {
        for code in Code::ALL {
            let entry = entry(*code);
            assert!(entry.starts_with(&format!("**{}.** {}", code.severity(), code.title())), "{code}: {entry}");
            assert!(entry.lines().count() > 2, "{code}: more than its title");
            assert!(!entry.contains("### "), "{code}: {entry}");
        }
    }
}
