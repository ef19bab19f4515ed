use portico_core::Timestamp;
use portico_core::cache::Scope;
use portico_core::sim::Random;

use super::*;

/// A directory of the test's own, gone when it ends.
pub(in crate::cache) struct Directory(PathBuf);

impl Directory {
    pub(in crate::cache) fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("portico-cache-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(in crate::cache) fn open(&self) -> Folder {
        Folder::open(&self.0, 1 << 30).unwrap()
    }

    /// What its files take, all of them.
    fn size(&self) -> u64 {
        self.files().iter().map(|path| taken(fs::metadata(path).unwrap().len())).sum()
    }

    fn files(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn record(size: usize) -> Option<Bytes> {
    Some(vec![b'x'; size].into())
}

#[tokio::test]
async fn what_is_written_is_read_and_replaced_and_forgotten() {
    let directory = Directory::new();
    let folder = directory.open();
    assert_eq!(folder.read("a").await, Ok(None));
    for text in ["first", "second"] {
        folder.write("a", Some(Bytes::from(text))).await.unwrap();
        assert_eq!(folder.read("a").await, Ok(Some(Bytes::from(text))));
    }
    assert_eq!(directory.files().len(), 1);
    folder.write("a", None).await.unwrap();
    assert_eq!((folder.read("a").await, directory.files().len()), (Ok(None), 0));
}

#[tokio::test]
async fn what_was_read_longest_ago_makes_room_also_after_a_restart() {
    let directory = Directory::new();
    let bound = 16 * 4096;
    let open = || Folder::open(&directory.0, bound).unwrap();
    let folder = open();
    for key in 0..16 {
        folder.write(&key.to_string(), record(4000)).await.unwrap();
    }
    assert!(folder.read("0").await.unwrap().is_some());
    folder.write("one more", record(4000)).await.unwrap();
    assert!(folder.read("0").await.unwrap().is_some());
    assert_eq!(folder.read("1").await, Ok(None));
    assert_eq!(directory.size(), bound);
    drop(folder);
    // times that differ, whatever the clock of the file system
    for (age, key) in ["3", "0", "2"].into_iter().enumerate() {
        let file = File::open(place(&fs::canonicalize(&directory.0).unwrap(), &name(key))).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64)).unwrap();
    }
    let folder = open();
    folder.write("yet one more", record(8000)).await.unwrap();
    let mut left = Vec::new();
    for key in ["3", "0", "2"] {
        left.push(folder.read(key).await.unwrap().is_some());
    }
    assert_eq!(left, [false, false, true]);
    drop(folder);
    // with less room less remains
    drop(Folder::open(&directory.0, bound / 2).unwrap());
    assert!(directory.size() <= bound / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_bound_holds_while_many_write_and_read() {
    let directory = Directory::new();
    let bound = 40 * 4096;
    let folder = Folder::open(&directory.0, bound).unwrap();
    let tasks = (0..8).map(|seed| {
        let folder = folder.clone();
        tokio::spawn(async move {
            let random = Random::new(seed);
            for _ in 0..100 {
                let (key, size) = (random.below(60), random.below(20_000) as usize);
                folder.write(&key.to_string(), record(size)).await.unwrap();
                let read = folder.read(&random.below(60).to_string()).await.unwrap();
                assert!(read.is_none_or(|read| read.iter().all(|byte| *byte == b'x')));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let size = directory.size();
    assert!(size <= bound && size > bound / 2, "{size}");
    drop(folder);
    // and the files are those that it knew
    let folder = Folder::open(&directory.0, bound).unwrap();
    assert_eq!(directory.size(), size);
    drop(folder);
}

#[tokio::test]
async fn a_broken_file_is_a_miss_and_goes() {
    type Break = fn(&Path);
    let ways: [Break; 4] = [
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, "short").unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path| fs::remove_file(path).unwrap(),
    ];
    for way in ways {
        let directory = Directory::new();
        let folder = directory.open();
        folder.write("a", Some(Bytes::from("text"))).await.unwrap();
        way(&directory.files()[0]);
        assert_eq!(folder.read("a").await, Ok(None));
        assert_eq!(directory.files().len(), 0);
        folder.write("a", Some(Bytes::from("text"))).await.unwrap();
        assert_eq!(folder.read("a").await, Ok(Some(Bytes::from("text"))));
    }
}

#[tokio::test]
async fn files_of_others_are_left_alone_and_remains_are_removed() {
    let directory = Directory::new();
    fs::create_dir_all(directory.0.join("ab")).unwrap();
    for file in ["notes.txt", "ab/notes.txt", "ab/.new-7"] {
        fs::write(directory.0.join(file), "text").unwrap();
    }
    drop(Folder::open(&directory.0, 0).unwrap());
    let there = ["notes.txt", "ab/notes.txt", "ab/.new-7"].map(|file| directory.0.join(file).exists());
    assert_eq!(there, [true, true, false]);
}

#[test]
fn one_server_uses_a_directory_at_a_time() {
    let directory = Directory::new();
    let folder = directory.open();
    assert_eq!(Folder::open(&directory.0, 1).unwrap_err().to_string(), "another server uses it");
    drop(folder);
    drop(directory.open());
    assert_eq!(Folder::open(Path::new("/no/such/directory"), 1).unwrap_err().kind(), ErrorKind::NotFound);
}

fn purge(tag: impl Into<String>, second: u64) -> Purge {
    Purge { scope: Scope::Tag(tag.into().into()), at: Timestamp::from_secs(second), soft: false }
}

#[tokio::test]
async fn what_was_purged_is_known_after_a_restart() {
    let directory = Directory::new();
    let folder = directory.open();
    folder.purge(&[purge("a", 2)]).await.unwrap();
    folder.purge(&[purge("a", 1)]).await.unwrap();
    folder.purge(&[purge("b", 3)]).await.unwrap();
    let all = vec![purge("a", 2), purge("b", 3)];
    assert_eq!(folder.purges().await, Ok(all.clone()));
    drop(folder);
    assert_eq!(directory.open().purges().await, Ok(all));
}

#[tokio::test]
async fn the_file_of_purges_does_not_grow_for_ever() {
    let directory = Directory::new();
    let path = directory.0.join("purges");
    let lines: Vec<_> = (0..4_000).map(|second| purge("a", second).encode() + "\n").collect();
    fs::write(&path, lines.concat()).unwrap();
    let mut purged = Purged::open(&path).unwrap().unwrap();
    purged.add(&[purge("b", 1)]).unwrap();
    purged.add(&[purge("c", 1)]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    assert_eq!(directory.open().purges().await, Ok(vec![purge("a", 3_999), purge("b", 1), purge("c", 1)]));
}

#[tokio::test]
async fn when_it_is_not_known_what_was_purged_nothing_is_served() {
    for broken in ["{", "not a purge\n", "\u{fffd}"] {
        let directory = Directory::new();
        let folder = directory.open();
        folder.write("a", record(10)).await.unwrap();
        folder.purge(&[purge("b", 1)]).await.unwrap();
        drop(folder);
        let mut file = File::options().append(true).open(directory.0.join("purges")).unwrap();
        file.write_all(broken.as_bytes()).unwrap();
        let folder = directory.open();
        assert_eq!((folder.read("a").await, folder.purges().await), (Ok(None), Ok(vec![])));
        folder.purge(&[purge("c", 2)]).await.unwrap();
        drop(folder);
        assert_eq!(directory.open().purges().await, Ok(vec![purge("c", 2)]));
    }
}
