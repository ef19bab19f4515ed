//! Worked examples of the documentation, done as they are written: files are created, commands run, outputs compared.
//!
//! A code block ```` ```yaml NAME ```` is a file; ```` ```console ```` holds commands (`$ …`), each with its output. In an output `…`
//! stands for whatever differs from run to run, and on a line of its own for any number of lines.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Folder, checkout};

#[test]
fn docs_testing() {
    do_as_written("docs/testing.md");
}

#[test]
fn docs_caching() {
    do_as_written("docs/caching.md");
}

fn do_as_written(document: &str) {
    let text = std::fs::read_to_string(checkout().join(document)).unwrap();
    let folder = Folder::with("");
    let (mut files, mut commands) = (0, 0);
    for (line, info, block) in blocks(&text) {
        let place = format!("{document}:{line}");
        match info.split_once(' ') {
            Some(("yaml" | "json" | "jsonl", name)) => {
                folder.write(name, &block);
                files += 1;
            }
            None if info == "console" => {
                for (command, expected) in calls(&block) {
                    let output = shell(&folder.0, &command);
                    assert!(fits(&output, &expected), "{place}: $ {command}\nexpected:\n{expected}\ngot:\n{output}");
                    commands += 1;
                }
            }
            _ => {}
        }
    }
    assert!(files > 0 && commands > 0, "{document} has no example");
}

/// The code blocks, with their first lines and what stands behind their fences.
fn blocks(text: &str) -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((index + 2, info.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, _, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a code block without an end");
    blocks
}

fn calls(block: &str) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), calls.last_mut()) {
            (Some(command), _) => calls.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    calls
}

/// What a command writes, on both streams. `portico` is the one under test.
fn shell(folder: &Path, command: &str) -> String {
    let tools = Path::new(env!("CARGO_BIN_EXE_portico")).parent().unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn fits(output: &str, expected: &str) -> bool {
    let (output, expected): (Vec<_>, Vec<_>) = (output.lines().collect(), expected.lines().collect());
    lines_fit(&output, &expected)
}

fn lines_fit(output: &[&str], expected: &[&str]) -> bool {
    match (output, expected) {
        ([], []) => true,
        (_, [any, rest @ ..]) if any.trim() == "…" => {
            (0..=output.len()).any(|skipped| lines_fit(&output[skipped..], rest))
        }
        ([line, lines @ ..], [wanted, rest @ ..]) => line_fits(line, wanted) && lines_fit(lines, rest),
        _ => false,
    }
}

fn line_fits(line: &str, wanted: &str) -> bool {
    let (mut parts, mut rest) = (wanted.trim_end().split('…'), line.trim_end());
    let Some(after) = rest.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    rest = after;
    let parts: Vec<_> = parts.collect();
    let Some((last, inner)) = parts.split_last() else { return rest.is_empty() };
    for part in inner {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn an_output_that_differs_does_not_fit() {
    for (output, expected) in [
        ("a\nb\n", "a\nb\n"),
        ("1 passed in 0.04 s\n", "1 passed in … s\n"),
        ("a\nb\nc\nd\n", "a\n…\nd\n"),
        ("a\nd\n", "a\n…\nd\n"),
        ("x-id: 7, y: 8\n", "x-id: …, y: …\n"),
    ] {
        assert!(fits(output, expected), "{output} {expected}");
    }
    for (output, expected) in [
        ("a\nb\n", "a\n"),
        ("a\n", "a\nb\n"),
        ("2 passed in 0.04 s\n", "1 passed in … s\n"),
        ("a\nb\n", "a\n…\nc\n"),
        ("x-id: 7, z: 8\n", "x-id: …, y: …\n"),
        ("0.04 seconds\n", "… s\n"),
    ] {
        assert!(!fits(output, expected), "{output} {expected}");
    }
}
