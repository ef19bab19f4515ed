//! What shows only over many requests: each of their answers alone is as good as any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use portico::case::offline::Offline;
use portico::case::subject::Subject as _;
use portico::case::{Action, Plan, parse};

/// The body of the answer to each of `count` requests to a gateway.
fn bodies(gateway: &str, count: usize) -> Vec<String> {
    let case = format!("{gateway}steps: [{{ send: {{ url: \"http://a/\" }}, expect: {{ status: 200 }} }}]\n");
    let case = parse(&case, Path::new("many.yaml"), "many").unwrap().remove(0);
    let Plan::Steps(steps) = &case.plan else { panic!("a case with steps") };
    let Action::Exchange { send, .. } = &steps[0].action else { panic!("a request") };
    let mut session = Offline.start(&case).unwrap();
    (0..count).map(|_| String::from_utf8(session.exchange(send).unwrap().body).unwrap()).collect()
}

/// How often each of two targets is asked in 4000 requests, of weight 3 and of weight 1.
fn shares(balance: &str) -> BTreeMap<String, usize> {
    let gateway = format!(
        "\
config:
  portico: 1
  name: many
  upstreams:
    pair:
      targets: [{{ url: \"http://blue.internal\", weight: 3 }}, {{ url: \"http://green.internal\" }}]
      balance: {balance}
  routes: [{{ name: all, match: {{ path: / }}, upstream: pair }}]
upstreams:
  pair:
    - {{ when: {{ headers: {{ host: blue.internal }} }}, respond: {{ body: blue }} }}
    - {{ when: {{ headers: {{ host: green.internal }} }}, respond: {{ body: green }} }}
"
    );
    let mut counts = BTreeMap::new();
    for body in bodies(&gateway, 4000) {
        *counts.entry(body).or_default() += 1;
    }
    counts
}

#[test]
fn in_turn_each_target_gets_its_share_exactly() {
    assert_eq!(shares("round_robin"), BTreeMap::from([("blue".to_owned(), 3000), ("green".to_owned(), 1000)]));
}

#[test]
fn at_random_each_target_gets_about_its_share() {
    let shares = shares("random");
    // more than seven standard deviations to either side
    assert!((800..1200).contains(&shares["green"]), "{shares:?}");
    assert_eq!(shares["blue"] + shares["green"], 4000);
}

#[test]
fn every_id_is_a_new_one() {
    let gateway = "\
config:
  portico: 1
  name: many
  routes: [{ name: all, match: { path: / }, respond: { body: \"${uuid} ${uuid} ${request.id}\" } }]
";
    let bodies = bodies(gateway, 100);
    let ids: BTreeSet<_> = bodies.iter().flat_map(|body| body.split(' ')).collect();
    assert_eq!(ids.len(), 300);
}
