//! The sentences of a Markdown document: those of its paragraphs, list items and rows of tables, in one line each. Headings,
//! heads of tables and code blocks say nothing about behaviour, or are tested by themselves.

/// Each sentence with the number of the line on which its paragraph begins.
pub(crate) fn sentences(markdown: &str) -> Vec<(usize, String)> {
    let blocks = blocks(markdown).into_iter();
    blocks.flat_map(|(line, block)| split(&block).into_iter().map(move |sentence| (line, sentence))).collect()
}

fn blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    let mut code = false;
    for (line, text) in markdown.lines().enumerate().map(|(index, text)| (index + 1, text.trim())) {
        if text.starts_with("```") {
            (code, open) = (!code, false);
        } else if code || text.is_empty() || text.starts_with('#') {
            open = false;
        } else if let Some(row) = text.strip_prefix('|') {
            if row.starts_with("---") {
                blocks.pop(); // the head of the table
            } else {
                let cells = row.trim_end_matches('|').replace("\\|", "\u{0}");
                let cells: Vec<_> = cells.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
                blocks.push((line, cells.join(" | ").replace('\u{0}', "|")));
            }
            open = false;
        } else {
            let item = text.strip_prefix("- ").or_else(|| {
                let (number, rest) = text.split_once(". ")?;
                number.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
            });
            match (item, blocks.last_mut()) {
                (None, Some((_, block))) if open => *block += &format!(" {text}"),
                (item, _) => blocks.push((line, item.unwrap_or(text).to_owned())),
            }
            open = true;
        }
    }
    blocks
}

/// Splits after a full stop and a space, unless they are quoted or a cell ends there.
fn split(block: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    let mut quoted = false;
    for (word, next) in block.split(' ').zip(block.split(' ').skip(1).chain([""])) {
        let sentence = sentences.last_mut().unwrap();
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(word);
        quoted ^= word.matches('`').count() % 2 == 1;
        if !quoted && next != "|" && !next.is_empty() && word.trim_end_matches(['*', ')', '"']).ends_with(['.', '?']) {
            sentences.push(String::new());
        }
    }
    sentences
}

#[test]
fn they_are_told_apart() {
    let markdown = "# A heading. With a stop\n\nOne is here, and\n**goes on.** Two (RFC 1.) `a. b` ends.\n- an item\n  goes on\n- another\n\
                    1. first. Second\n\n| key | meaning |\n|---|---|\n| `a` | b \\| c. D. | e |\n| f | | |\n```\ncode. code\n```\nlast\n";
    let found = sentences(markdown);
    let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "One is here, and **goes on.**",
            "Two (RFC 1.)",
            "`a. b` ends.",
            "an item goes on",
            "another",
            "first.",
            "Second",
            "`a` | b | c.",
            "D. | e",
            "f",
            "last"
        ]
    );
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 3, 3, 5, 7, 8, 8, 12, 12, 13, 17]);
}
