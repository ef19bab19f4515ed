use std::time::Duration;

use super::super::entry::tests::{NOW, stored};
use super::*;
use crate::sim::{Random, check_seeds};

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn purge(scope: Scope, at: Timestamp, soft: bool) -> Purge {
    Purge { scope, at, soft }
}

fn entry(url: &str, tags: &[&str], requested: Timestamp) -> Entry {
    let tags = tags.iter().map(|tag| Box::from(*tag)).collect();
    Entry { url: url.into(), tags, requested, ..stored(&[], "") }
}

fn with(purges: &[Purge]) -> Purges {
    let mut all = Purges::default();
    for purge in purges {
        all.add(purge);
    }
    all
}

#[test]
fn each_scope_concerns_what_it_names() {
    let purges = with(&[
        purge(Scope::Url("a.example/x?b".into()), after(10), false),
        purge(Scope::Prefix("a.example/docs/".into()), after(10), true),
        purge(Scope::Tag("red".into()), after(10), true),
    ]);
    for (url, tags, expected) in [
        ("a.example/x?b", &[][..], Some(Purged::Hard)),
        ("a.example/x?b", &["red"], Some(Purged::Hard)),
        ("a.example/x", &[], None),
        ("a.example/x?bc", &[], None),
        ("a.example/docs/", &[], Some(Purged::Soft)),
        ("a.example/docs/1?2", &[], Some(Purged::Soft)),
        ("a.example/docs", &[], None),
        ("b.example/", &["blue", "red"], Some(Purged::Soft)),
        ("b.example/", &["redder"], None),
    ] {
        assert_eq!(purges.verdict(&entry(url, tags, NOW)), expected, "{url} {tags:?}");
    }
}

#[test]
fn what_was_asked_for_after_it_is_not_concerned() {
    let all = purge(Scope::Everything, after(10), false);
    let purges = with(std::slice::from_ref(&all));
    let at = |micros| entry("a/", &[], Timestamp::from_micros(after(10).as_micros() - 1 + micros));
    assert_eq!([0, 1, 2].map(|micros| purges.verdict(&at(micros))), [Some(Purged::Hard), Some(Purged::Hard), None]);
    let mut slow = entry("a/", &[], after(9));
    slow.received = after(20);
    assert_eq!(purges.verdict(&slow), Some(Purged::Hard), "it may be what was there before");
    assert_eq!(Purges::default().verdict(&entry("a/", &[], Timestamp::default())), None);
}

#[test]
fn an_earlier_hard_one_and_a_later_soft_one_both_hold() {
    let url = || Scope::Url("a/".into());
    let purges = with(&[purge(url(), after(20), true), purge(url(), after(10), false)]);
    let verdict = |requested| purges.verdict(&entry("a/", &[], requested));
    assert_eq!(
        [10, 11, 20, 21].map(|at| verdict(after(at))),
        [Some(Purged::Hard), Some(Purged::Soft), Some(Purged::Soft), None]
    );
}

#[test]
fn news_is_what_concerns_more_than_before() {
    let mut purges = Purges::default();
    let url = |at, soft| purge(Scope::Url("a/".into()), after(at), soft);
    let all = |at, soft| purge(Scope::Everything, after(at), soft);
    for (purge, expected) in [
        (url(10, true), true),
        (url(10, true), false),
        (url(9, true), false),
        (url(9, false), true),
        (url(10, false), true),
        (url(9, false), false),
        (all(20, true), true),
        (url(15, true), false),
        (url(15, false), true),
        (all(20, false), true),
        (url(20, false), false),
        (url(21, true), true),
    ] {
        assert_eq!(purges.add(&purge), expected, "{purge:?}");
    }
    let held: Vec<_> = purges.iter().collect();
    assert_eq!(held, [all(20, false), url(21, true)], "what others cover is not kept");
}

#[test]
fn what_is_too_long_to_remember_concerns_more() {
    let long = |end: &str| format!("a/{}{end}", "é".repeat(1_200));
    let purges = with(&[purge(Scope::Url(long("1").into()), after(1), false)]);
    assert_eq!(purges.verdict(&entry(&long("1"), &[], NOW)), Some(Purged::Hard));
    assert_eq!(purges.verdict(&entry(&long("2"), &[], NOW)), Some(Purged::Hard));
    assert_eq!(purges.verdict(&entry("a/", &[], NOW)), None);
    let purges = with(&[purge(Scope::Tag(long("").into()), after(1), true)]);
    assert_eq!(purges.verdict(&entry("a/", &[], NOW)), Some(Purged::Soft));
}

#[test]
fn nested_prefixes_are_all_asked() {
    let prefix = |text: &str, at, soft| purge(Scope::Prefix(text.into()), after(at), soft);
    let purges = with(&[
        prefix("a/b/", 10, false),
        prefix("a/b/a", 99, false),
        prefix("a/b/c/", 20, true),
        prefix("a/b/c/e", 99, false),
        prefix("a/é", 30, true),
    ]);
    let verdict = |url, at| purges.verdict(&entry(url, &[], after(at)));
    assert_eq!(verdict("a/b/c/d", 10), Some(Purged::Hard));
    assert_eq!(verdict("a/b/c/d", 20), Some(Purged::Soft));
    assert_eq!(verdict("a/b/c/d", 21), None);
    assert_eq!(verdict("a/ê", 0), None, "it shares the first byte of a character");
    assert_eq!(verdict("a/é1", 30), Some(Purged::Soft));
    assert_eq!(with(&[prefix("", 1, false)]).verdict(&entry("a/", &[], NOW)), Some(Purged::Hard));
}

#[test]
fn it_is_bounded_and_what_is_folded_still_holds() {
    let mut purges = Purges::with_room(100);
    for index in 0..10_000 {
        purges.add(&purge(Scope::Url(format!("a/{index}").into()), after(index), index % 2 == 0));
        assert!(purges.iter().count() <= 102, "one for each, and two of everything");
    }
    let verdict = |index: u64, at| purges.verdict(&entry(&format!("a/{index}"), &[], after(at)));
    assert_eq!(verdict(9_999, 9_999), Some(Purged::Hard));
    assert_eq!(verdict(9_999, 10_000), None);
    assert_eq!(verdict(5, 5), Some(Purged::Hard));
    assert_eq!(verdict(20_000, 9_990), None, "the younger half is still known one by one");
}

#[test]
fn all_at_the_same_time_are_folded_together() {
    let mut purges = Purges::with_room(10);
    for index in 0..11 {
        purges.add(&purge(Scope::Tag(index.to_string().into()), after(1), true));
    }
    assert_eq!(purges.iter().collect::<Vec<_>>(), [purge(Scope::Everything, after(1), true)]);
}

/// A model that keeps all purges; what is bounded may be stricter than it, and without a fold it is not.
#[test]
fn it_is_never_laxer_than_what_was_asked() {
    let words = ["a/", "a/b", "a/b/c", "a/b/é", "a/c", "b/", "b/a", ""];
    check_seeds(300, None, |seed| {
        let random = Random::new(seed);
        let room = [4, 1_000][random.below(2) as usize];
        let (mut purges, mut model) = (Purges::with_room(room), Vec::new());
        for _ in 0..random.below(40) {
            let text = || Box::from(*random.pick(&words).unwrap());
            let scope = match random.below(12) {
                0 => Scope::Everything,
                1..=3 => Scope::Prefix(text()),
                4..=6 => Scope::Tag(text()),
                _ => Scope::Url(text()),
            };
            let purge = purge(scope, after(random.below(30)), random.below(2) == 0);
            purges.add(&purge);
            model.push(purge);
        }
        let mut again = Purges::with_room(room);
        for purge in purges.iter() {
            again.add(&purge);
        }
        for _ in 0..50 {
            let tags = [*random.pick(&words).unwrap(), *random.pick(&words).unwrap()];
            let entry = entry(random.pick(&words).unwrap(), &tags, after(random.below(32)));
            let concerns = |purge: &&Purge| {
                let named = match &purge.scope {
                    Scope::Everything => true,
                    Scope::Url(url) => *url == entry.url,
                    Scope::Prefix(prefix) => entry.url.starts_with(&**prefix),
                    Scope::Tag(tag) => entry.tags.contains(tag),
                };
                named && entry.requested <= purge.at
            };
            let concerned: Vec<_> = model.iter().filter(concerns).collect();
            let expected = match concerned.iter().any(|purge| !purge.soft) {
                true => Some(Purged::Hard),
                false => (!concerned.is_empty()).then_some(Purged::Soft),
            };
            let (verdict, strictness) = (purges.verdict(&entry), |verdict| match verdict {
                None => 0,
                Some(Purged::Soft) => 1,
                Some(Purged::Hard) => 2,
            });
            if room == 4 {
                assert!(strictness(verdict) >= strictness(expected), "{entry:?} {model:?}");
            } else {
                assert_eq!(verdict, expected, "{entry:?} {model:?}");
            }
            assert_eq!(again.verdict(&entry), verdict, "what `iter` gives says the same");
        }
    });
}
