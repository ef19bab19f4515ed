use http::{HeaderMap, StatusCode};
use portico_core::cache::{Entry, Lifetime};

use super::folder::tests::Directory;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000);
const MINUTE: Duration = Duration::from_secs(60);

fn item(body: impl Into<Bytes>) -> Item {
    Item::Response(Entry {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: body.into(),
        requested: NOW,
        received: NOW,
        age: Duration::ZERO,
        lifetime: Lifetime::default(),
        url: "shop.example/".into(),
        tags: Vec::new(),
    })
}

fn cache(directory: &Directory) -> Cache {
    Cache::new(1 << 20, Shared::Folder(directory.open()))
}

#[tokio::test]
async fn what_is_shared_is_there_after_a_restart_and_what_is_local_is_not() {
    let directory = Directory::new();
    let before = cache(&directory);
    before.put("shared", &item("a"), NOW, MINUTE, Reach::Shared).await.unwrap();
    before.put("local", &item("b"), NOW, MINUTE, Reach::Local).await.unwrap();
    assert!(before.remembered("shared", NOW).is_some() && before.remembered("local", NOW).is_some());
    drop(before);

    let after = cache(&directory);
    assert_eq!(after.remembered("shared", NOW), None);
    assert_eq!(after.shared("shared", NOW).await.unwrap().as_deref(), Some(&item("a")));
    assert_eq!(after.shared("local", NOW).await, Ok(None));
    // from then on the memory has it, for as long
    assert!(after.remembered("shared", NOW).is_some());
    assert!(after.remembered("shared", NOW + MINUTE).is_none());
    assert_eq!(after.shared("shared", NOW + MINUTE).await, Ok(None));
}

#[tokio::test]
async fn what_is_too_large_to_be_shared_takes_the_place_of_what_was() {
    let directory = Directory::new();
    let cache = cache(&directory);
    cache.put("a", &item("small"), NOW, MINUTE, Reach::Shared).await.unwrap();
    cache.put("a", &item(vec![b'x'; LARGEST]), NOW, MINUTE, Reach::Shared).await.unwrap();
    assert_eq!(cache.remembered("a", NOW), None, "nor is there room for it in a megabyte");
    assert_eq!(cache.shared("a", NOW).await, Ok(None));
}

#[tokio::test]
async fn what_is_removed_is_not_there() {
    let directory = Directory::new();
    let cache = cache(&directory);
    cache.put("a", &item("a"), NOW, MINUTE, Reach::Shared).await.unwrap();
    cache.forget("a", Reach::Local).await.unwrap();
    assert_eq!(cache.remembered("a", NOW), None);
    assert!(cache.shared("a", NOW).await.unwrap().is_some(), "the memory was all that it reached");
    cache.forget("a", Reach::Shared).await.unwrap();
    assert_eq!((cache.remembered("a", NOW), cache.shared("a", NOW).await), (None, Ok(None)));
    cache.forget("a", Reach::Shared).await.unwrap();
}

#[tokio::test]
async fn without_a_place_to_share_there_is_the_memory() {
    let cache = Cache::new(1 << 20, Shared::Nowhere);
    cache.put("a", &item("a"), NOW, MINUTE, Reach::Shared).await.unwrap();
    assert!(cache.remembered("a", NOW).is_some());
    assert_eq!(cache.shared("b", NOW).await, Ok(None));
    let purge = Purge { scope: portico_core::cache::Scope::Everything, at: NOW, soft: false };
    assert_eq!((cache.purge(&[purge]).await, cache.purges().await), (Ok(()), Ok(vec![])));
}

#[test]
fn what_is_no_record_is_nothing() {
    let record = pack(&item("a"), NOW);
    assert_eq!(unpack(record.clone()), Some((item("a"), NOW)));
    for length in 0..record.len() {
        assert_eq!(unpack(record.slice(..length)), None, "{length}");
    }
}
