//! The memory of verified tokens.

use std::sync::Arc;

use super::*;

const NOW: u64 = 1_000;

/// A text with an end as random as a signature's.
fn text(number: u64) -> String {
    let digest = <Sha256 as sha2::Digest>::digest(number.to_le_bytes());
    format!("header.claims.{}", b64(digest))
}

fn small(entries: usize) -> Memory<u64> {
    Memory::new(entries, 1 << 20, 300)
}

fn put(memory: &Memory<u64>, number: u64) {
    memory.insert(&text(number), Arc::new(number), 0, NOW, None);
}

fn has(memory: &Memory<u64>, number: u64) -> bool {
    match memory.get(&text(number), NOW) {
        Some(value) => {
            assert_eq!(*value, number);
            true
        }
        None => false,
    }
}

#[test]
fn it_remembers_the_exact_text_only() {
    let memory = small(10);
    put(&memory, 1);
    assert!(has(&memory, 1) && !has(&memory, 2));
    let token = text(1);
    assert!(memory.get(&format!("x{token}"), NOW).is_none(), "another token with the same end");
    assert!(memory.get(&token.replacen("header", "Header", 1), NOW).is_none());
    assert!(memory.get(&token[1..], NOW).is_none());
    assert!(memory.get("", NOW).is_none());
    // another token with the same end takes the place, and neither is mistaken for the other
    let twin = token.replacen("header", "HEADER", 1);
    memory.insert(&twin, Arc::new(7), 0, NOW, None);
    assert_eq!(memory.get(&twin, NOW).as_deref(), Some(&7));
    assert!(!has(&memory, 1));
    assert_eq!(memory.len(), 1);
}

#[test]
fn it_forgets_at_the_expiry_and_at_the_maximal_age() {
    let memory = small(10);
    let expires_after = |expires: Option<u64>, after: u64| {
        memory.insert("a.b.c", Arc::new(1), 0, NOW, expires);
        assert!(memory.get("a.b.c", NOW + after - 1).is_some(), "{expires:?}");
        assert!(memory.get("a.b.c", NOW + after).is_none(), "{expires:?}");
    };
    expires_after(Some(NOW + 5), 5);
    expires_after(Some(NOW + 299), 299);
    expires_after(Some(NOW + 10_000), 300);
    expires_after(None, 300);
    memory.clear();
    memory.insert("a.b.c", Arc::new(1), 0, NOW, Some(NOW));
    assert!(memory.is_empty(), "expired already");
}

#[test]
fn it_is_bounded_in_entries() {
    for entries in [1, 2, 50, 64, 127, 128, 1_000] {
        let memory = small(entries);
        for number in 0..3 * entries as u64 + 100 {
            put(&memory, number);
            assert!(memory.len() <= entries);
        }
        assert!(memory.len() * 2 >= entries, "{} of {entries} are used", memory.len());
    }
}

#[test]
fn it_is_bounded_in_bytes() {
    let memory = Memory::new(100, 10_000, 300);
    for number in 0..200 {
        memory.insert(&text(number), Arc::new(number), 1_000, NOW, None);
    }
    assert!((5..=9).contains(&memory.len()), "{} entries of more than 1,000 bytes each", memory.len());
    memory.insert(&text(1_000), Arc::new(1), 10_000, NOW, None);
    assert!(memory.get(&text(1_000), NOW).is_none(), "larger than all the room");
    memory.insert(&text(1_001), Arc::new(1), usize::MAX, NOW, None);
    assert!(memory.get(&text(1_001), NOW).is_none());
    assert!(memory.len() >= 5, "nothing was evicted for what does not fit");
    // the text counts as well
    let memory = Memory::new(100, 10_000, 300);
    for number in 0..10 {
        memory.insert(&format!("{}{}", "x".repeat(4_000), text(number)), Arc::new(number), 0, NOW, None);
    }
    assert_eq!(memory.len(), 2);
}

#[test]
fn replacing_does_not_use_up_the_room() {
    let memory = Memory::new(100, 10_000, 300);
    put(&memory, 1);
    for _ in 0..1_000 {
        memory.insert(&text(2), Arc::new(2), 3_000, NOW, None);
    }
    assert!(has(&memory, 1) && has(&memory, 2));
    assert_eq!(memory.len(), 2);
}

#[test]
fn the_oldest_goes_first_unless_it_was_asked_for() {
    let memory = small(4);
    for number in 0..4 {
        put(&memory, number);
    }
    assert!(has(&memory, 0));
    put(&memory, 4);
    let held: Vec<u64> = (0..5).filter(|number| memory.get(&text(*number), NOW).is_some()).collect();
    assert_eq!(held, [0, 2, 3, 4]);
    // all of them were asked for just now: the second chance is not a third
    put(&memory, 5);
    assert_eq!(memory.len(), 4);
    assert!(has(&memory, 5));
}

#[test]
fn the_expired_get_no_second_chance() {
    let memory = small(2);
    memory.insert(&text(0), Arc::new(0), 0, NOW, Some(NOW + 1));
    assert!(has(&memory, 0));
    put(&memory, 1);
    memory.insert(&text(2), Arc::new(2), 0, NOW + 1, None);
    assert!(has(&memory, 1) && has(&memory, 2));
}

#[test]
fn a_zero_remembers_nothing() {
    for memory in [Memory::new(0, 1 << 20, 300), Memory::new(100, 0, 300), Memory::new(100, 1 << 20, 0)] {
        put(&memory, 1);
        assert!(memory.is_empty() && !has(&memory, 1));
    }
}

#[test]
fn clearing_forgets_everything() {
    let memory = small(1_000);
    (0..500).for_each(|number| put(&memory, number));
    memory.clear();
    assert!(memory.is_empty() && !(0..500).any(|number| has(&memory, number)));
    put(&memory, 1);
    assert!(has(&memory, 1));
}

#[test]
fn threads_may_share_it() {
    let memory = small(256);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let memory = &memory;
            scope.spawn(move || {
                for round in 0..2_000 {
                    put(memory, round * 7 + thread);
                    has(memory, round);
                }
            });
        }
    });
    assert!(memory.len() <= 256);
}

#[test]
fn debug_shows_no_tokens() {
    let memory = small(10);
    put(&memory, 1);
    assert_eq!(format!("{memory:?}"), "Memory { len: 1, .. }");
}
