//! What is different on a terminal: colours, and the lines in question.
#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::process::{Folder, portico};

/// Both ends of a new terminal: the one that a person looks at, and the one that a program writes to.
fn terminal() -> (BufReader<File>, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    let program = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (BufReader::new(File::from(person)), program)
}

/// Everything up to the line with `text` that a command writes to its terminal.
fn shown(mut command: Command, text: &str) -> String {
    let (mut person, program) = terminal();
    command.env("TERM", "xterm").stdout(program.try_clone().unwrap()).stderr(program);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = String::new();
    while !shown.contains(text) {
        assert_ne!(person.read_line(&mut shown).unwrap(), 0, "no {text:?} in {shown}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    shown
}

#[test]
fn there_are_colours_unless_no_color_is_set() {
    let folder = Folder::with("portico: 1\nname: page\nroutes: [{ name: page, match: { path: / }, respond: {} }]\n");
    let command = || portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]);
    let mut coloured = command();
    coloured.env_remove("NO_COLOR");
    assert!(shown(coloured, "listening on").contains('\u{1b}'));
    assert!(!shown(command(), "listening on").contains('\u{1b}'));
}

#[test]
fn mistakes_are_shown_with_their_lines() {
    let folder = Folder::with("portico: 1\nname: wrong\nroutse: []\n");
    let report = shown(portico(&folder.0, &["check"]), "1 error");
    assert!(report.contains("3 │ routse: []") && report.contains("gateway.yaml:3:1"), "{report}");
}
