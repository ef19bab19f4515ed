use super::super::entry::tests::{NOW, fields, seconds, stored};
use super::*;
use crate::sim::{Random, check_seeds};

fn item() -> Item {
    let lifetime = Lifetime {
        fresh: seconds(60),
        stale_while_revalidate: seconds(7),
        stale_if_error: seconds(100_000),
        no_cache: false,
        must_revalidate: true,
    };
    let headers = [("etag", "\"a\u{fc}\""), ("x-list", "1"), ("x-list", ""), ("date", "then"), ("cache-tag", "a, b")];
    let entry = stored(&headers, "the body");
    Item::Response(Entry { received: NOW + seconds(1), age: Duration::from_micros(1_234_567), lifetime, ..entry })
}

fn varies() -> Item {
    let names = vec![HeaderName::from_static("accept"), HeaderName::from_static("x-own")];
    Item::Varies(Variants { names, since: Timestamp::from_micros(300) })
}

#[test]
fn what_is_written_is_read() {
    let error = Entry { status: StatusCode::NOT_FOUND, ..stored(&[], "") };
    for item in [item(), varies(), Item::Varies(Variants { names: Vec::new(), since: NOW }), Item::Response(error)] {
        assert_eq!(Item::decode(&item.encode()), Some(item));
    }
}

/// Written down, because stores keep it while versions come and go: a change needs another version byte.
#[test]
fn the_form_is_this() {
    assert_eq!(varies().encode(), &b"PCV\x02\xac\x02\x02\x06accept\x05x-own"[..]);
    let Item::Response(entry) = item() else { panic!() };
    let mut entry = Entry { requested: Timestamp::from_micros(300), received: Timestamp::from_micros(1), ..entry };
    entry.headers = fields(&[("etag", "\"a\"")]);
    let encoded = Item::Response(entry).encode();
    let expected = [
        &b"PCR\x01\xc8\x01\xac\x02\x01"[..],
        b"\x87\xad\x4b\x80\x8e\xce\x1c\xc0\x9f\xab\x03\x80\xd0\xdb\xc3\xf4\x02\x02",
        b"\x0dexample.com/a\x02\x01a\x01b\x01\x04etag\x03\"a\"\x08the body",
    ];
    assert_eq!(encoded, expected.concat());
}

#[test]
fn the_body_is_not_copied() {
    let bytes = item().encode();
    let Some(Item::Response(entry)) = Item::decode(&bytes) else { panic!() };
    assert!(bytes.as_ptr_range().contains(&entry.body.as_ptr()));
}

#[test]
fn no_part_of_it_is_an_item_nor_is_more() {
    for item in [item(), varies()] {
        let bytes = item.encode();
        for length in 0..bytes.len() {
            assert_eq!(Item::decode(&bytes.slice(..length)), None, "{length}");
        }
        assert_eq!(Item::decode(&[&*bytes, b"\0"].concat().into()), None);
    }
}

#[test]
fn other_versions_flags_and_numbers_are_refused() {
    let bytes = item().encode().to_vec();
    let flags = bytes.iter().position(|byte| *byte == b'e').unwrap() - 2;
    for (index, byte) in [(0, b'p'), (3, 2), (flags, 4), (5, 0)] {
        let mut bytes = bytes.clone();
        bytes[index] = byte;
        assert_eq!(Item::decode(&bytes.into()), None, "{index}");
    }
    let number = |bytes: &'static [u8]| Reader(Bytes::from_static(bytes)).number();
    assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Some(u64::MAX));
    assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), None);
    assert_eq!(number(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), None);
    assert_eq!(Item::decode(&b"PCV\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..].into()), None);
}

#[test]
fn fields_are_bounded() {
    let mut writer = Writer(VARIES.to_vec());
    writer.number(MAX_MEMBERS + 1);
    (0..=MAX_MEMBERS).for_each(|_| writer.bytes(b"a"));
    assert_eq!(Item::decode(&writer.0.into()), None);
}

/// Any damage gives no item, or one that can be used: nothing panics.
#[test]
fn damaged_bytes_are_none_or_an_item() {
    check_seeds(2_000, None, |seed| {
        let random = Random::new(seed);
        let item = if random.below(4) == 0 { varies() } else { item() };
        let mut bytes = item.encode().to_vec();
        for _ in 0..=random.below(3) {
            let index = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => drop(bytes.remove(index)),
                1 => bytes.insert(index, random.next() as u8),
                _ => bytes[index] = random.next() as u8,
            }
        }
        if let Some(item) = Item::decode(&bytes.into()) {
            assert_eq!(Item::decode(&item.encode()).as_ref(), Some(&item));
            if let Item::Response(entry) = &item {
                let _ = (entry.keep(NOW), entry.freshness_left(NOW), entry.size());
                let _ = entry.reuse(&super::super::Wish::NONE, NOW);
                let answer: http::Response<crate::Body<()>> =
                    super::super::answer(entry, &http::Method::GET, &fields(&[("range", "bytes=1-")]), NOW);
                assert!(answer.headers().contains_key("age"));
            }
        }
    });
}
