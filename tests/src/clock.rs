//! A clock of its own for a program: libfaketime, which scripts/setup installs, adds to what the machine's says.

use std::path::PathBuf;

/// What a program needs in its environment for a clock that is ahead by so many microseconds, or behind. Time passes as it does for all; a
/// program that is linked statically does not notice.
pub fn ahead(micros: i64) -> Result<[(&'static str, String); 3], String> {
    let library = library().ok_or("there is no libfaketimeMT.so.1\nhelp: run scripts/setup")?;
    Ok([
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", format!("{:+.6}", micros as f64 / 1_000_000.0)),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ])
}

/// Where systems have it: beside other libraries, which Debian keeps in a folder for each architecture.
fn library() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|folder| folder.path());
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from).into_iter().chain(debian);
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file())
}

/// Removes what libfaketime leaves behind of a program that was killed; nothing, if it had no clock of its own.
pub(crate) fn clean_up(process: u32) {
    for name in [format!("faketime_shm_{process}"), format!("sem.faketime_sem_{process}")] {
        drop(std::fs::remove_file(PathBuf::from("/dev/shm").join(name)));
    }
}

#[test]
fn another_clock_is_another_clock() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use crate::child::{Running, lines};

    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for hour in [3_600, -3_600] {
        let started = now();
        let mut date = Command::new("date");
        date.arg("+%s").envs(ahead(hour * 1_000_000).unwrap()).stdout(Stdio::piped());
        let mut date = date.spawn().unwrap();
        let said = lines(date.stdout.take());
        let date = Running(date);
        let seconds: u64 = said.recv().unwrap().parse().unwrap();
        let machine = Duration::from_secs(seconds.checked_add_signed(-hour).unwrap());
        assert!(machine + Duration::from_secs(1) > started && machine <= now(), "{machine:?}, started {started:?}");
        drop(date);
    }
}
