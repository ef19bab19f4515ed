use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::case::{Outcome, Payload, Respond, Rule, Send, When, http1};

fn part(upstream: &str, authority: &str, respond: Respond) -> Part {
    let rule = Rule { when: When::default(), times: None, outcome: Outcome::Respond(respond) };
    Part {
        upstream: upstream.to_owned(),
        authority: authority.to_owned(),
        script: Arc::new(Script::new(Some(vec![rule]))),
    }
}

fn respond(body: Payload) -> Respond {
    Respond { status: 200, headers: Vec::new(), body, delay: None, break_after: None }
}

fn text(text: &str) -> Respond {
    respond(Payload::Sized(text.as_bytes().to_vec()))
}

fn get(address: SocketAddr, host: &str) -> (u16, http1::Message) {
    let headers = vec![("Host".to_owned(), host.to_owned())];
    let send = Send { method: "GET".to_owned(), target: "/".to_owned(), headers, body: Payload::None };
    http1::exchange(TcpStream::connect(address).unwrap(), &send).unwrap()
}

#[test]
fn whoever_leaves_waits_for_the_other_side_and_comes_back_to_the_same_place() {
    let mut origin = Origin::bind((Ipv4Addr::LOCALHOST, 0).into(), Inbox::default()).unwrap();
    let address = origin.address();
    assert!(TcpStream::connect(address).is_err(), "nothing to play yet");
    origin.play(vec![part("app", "app.internal", text("one"))]).unwrap();
    // a connection that is kept, as gateways do it
    let mut kept = TcpStream::connect(address).unwrap();
    http1::write(&mut kept, "GET / HTTP/1.1", &[("Host".to_owned(), "a".to_owned())], &Payload::None).unwrap();
    assert_eq!(http1::read_response(&mut io::BufReader::new(&kept), "GET").unwrap().1.body, b"one");
    let elsewhere = Origin::start(part("other", "other.internal", text("more")), Inbox::default()).unwrap();
    let closed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(kept.read(&mut [0; 1]).unwrap(), 0);
            // somebody who has much to do before it looks after its connections
            (0..100).for_each(|_| assert_eq!(get(elsewhere.address(), "a").1.body, b"more"));
            closed.store(true, Ordering::SeqCst);
            drop(kept);
        });
        origin.leave().unwrap();
        assert!(closed.load(Ordering::SeqCst), "left with a connection that is still open on the other side");
    });
    assert!(TcpStream::connect(address).is_err());
    origin.leave().unwrap();
    origin.play(vec![part("app", "app.internal", text("two"))]).unwrap();
    assert_eq!(get(address, "a").1.body, b"two");
}

#[test]
fn several_parts_are_told_apart_by_host() {
    let inbox = Inbox::default();
    let mut origin = Origin::bind((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&inbox)).unwrap();
    let (address, port) = (origin.address(), origin.address().port());
    let [one, two] = ["one", "two"].map(|name| part(name, &format!("{name}.internal"), text(name)));
    origin.play(vec![one.clone(), two]).unwrap();
    assert_eq!(get(address, "ONE.internal").1.body, b"one");
    assert_eq!(get(address, &format!("two.internal:{port}")).1.body, b"two");
    assert_eq!(get(address, "three.internal").0, 421);
    // of one upstream any target will do
    origin.play(vec![one.clone(), part("one", "other.internal", text("one"))]).unwrap();
    assert_eq!(get(address, "localhost").1.body, b"one");
    origin.play(vec![one]).unwrap();
    assert_eq!(get(address, "client.example").1.body, b"one");
    assert_eq!(get(address, &address.to_string()).1.body, b"one");
    let inbox = lock(&inbox);
    let hosts = |name: &str| -> Vec<_> {
        inbox[name].iter().flat_map(|one| one.headers.iter().map(|(_, value)| value.as_str())).collect()
    };
    assert_eq!(hosts("one"), ["one.internal", "localhost", "client.example", "one.internal"]);
    assert_eq!(hosts("two"), ["two.internal"]);
    assert!(inbox["no upstream (Host: three.internal)"][0].unexpected);
}

#[test]
fn bodies_break_off_where_they_are_told_to() {
    let chunks = || Payload::Chunked(vec![b"he".to_vec(), b"llo".to_vec()]);
    for (body, after, came) in [
        (Payload::Sized(b"hello".to_vec()), 3, "hel"),
        (Payload::Sized(b"hello".to_vec()), 0, ""),
        (chunks(), 3, "hel"),
        (chunks(), 0, ""),
    ] {
        let part = part("app", "app.internal", Respond { break_after: Some(after), ..respond(body.clone()) });
        let origin = Origin::start(part, Inbox::default()).unwrap();
        let (_, message) = get(origin.address(), "a");
        assert_eq!(
            (String::from_utf8(message.body).unwrap(), message.broke),
            (came.to_owned(), true),
            "{body:?} {after}"
        );
    }
}
