//! Nodes of the native server that count in one Redis: what is counted, in how many round trips, and what becomes of it when
//! Redis forgets, stands still, ends, or its answers are lost.

mod cache;
mod script;
mod server;
mod support;

use portico_tests::native::Node;
use serde_json::{Value, json};

use self::server::{Redis, certificate};
use self::support::{Folder, Network, get, get_until, get_with, passed};

const LIMIT: u32 = 100;

/// A limit for `/` that gives nothing back while a test runs, counted in the Redis whose address is the secret `REDIS_URL`.
fn limited(limit: u32) -> Value {
    let policies = json!({ "rate_limit": { "limit": limit, "per": "7d", "by": "global", "on_error": "deny" } });
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies });
    json!({ "portico": 1, "name": "test", "state": { "redis": "${secret.REDIS_URL}" }, "routes": [route] })
}

/// A node that counts at `address`.
fn node(config: &Value, address: &str) -> Node {
    Node::serve(config, &[("REDIS_URL", address)], &[]).unwrap()
}

fn url(redis: &Redis) -> String {
    format!("redis://{}", redis.address())
}

/// How often Redis was told a command, since it last forgot.
fn calls(redis: &Redis, command: &str) -> u32 {
    let counted = redis.ask("INFO commandstats");
    let line = counted.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn of_64_clients_at_once_exactly_the_limit_passes_two_nodes() {
    let redis = Redis::start();
    let nodes = [node(&limited(LIMIT), &url(&redis)), node(&limited(LIMIT), &url(&redis))];
    assert_eq!(passed(&[&nodes[0], &nodes[1]], 10), LIMIT);
}

#[test]
fn a_decision_is_one_round_trip() {
    let redis = Redis::start();
    let node = node(&limited(LIMIT), &url(&redis));
    // Redis learns the script
    assert_eq!(get(&node, "/").status, 200);
    assert_eq!((calls(&redis, "evalsha"), calls(&redis, "eval")), (1, 1));
    redis.ask("CONFIG RESETSTAT");
    passed(&[&node], 5);
    assert_eq!((calls(&redis, "evalsha"), calls(&redis, "eval")), (64 * 5, 0));
}

#[test]
fn a_redis_that_forgot_the_script_is_told_it_again() {
    let redis = Redis::start();
    let node = node(&limited(3), &url(&redis));
    assert_eq!(get(&node, "/").remaining(), 2);
    redis.ask("SCRIPT FLUSH");
    assert_eq!(get(&node, "/").remaining(), 1);
    redis.ask("SCRIPT FLUSH");
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [200, 429]);
}

#[test]
fn a_step_whose_answer_was_lost_is_tried_again_and_counts_twice() {
    let redis = Redis::start();
    let network = Network::to(redis.address());
    let node = node(&limited(4), &format!("redis://{}", network.address));
    assert_eq!(get(&node, "/").remaining(), 3);
    network.lose_an_answer();
    assert_eq!(get(&node, "/").remaining(), 1);
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [200, 429]);
}

#[test]
fn a_redis_that_ends_is_missed_once_and_welcomed_once() {
    let mut redis = Redis::start();
    let node = node(&limited(2), &url(&redis));
    assert_eq!([(); 3].map(|()| get(&node, "/").status), [200, 200, 429]);
    redis.kill();
    assert_eq!([(); 3].map(|()| get(&node, "/").status), [503, 503, 503]);
    redis.start_again();
    // what it knew is lost
    get_until(&node, "/", 200);
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [200, 429]);
    let told = node.messages_until("answers again");
    let missed: Vec<_> = told.iter().filter(|line| line.contains("no answer from the Redis")).collect();
    assert_eq!(missed.len(), 1, "{told:?}");
    assert!(!told.join("").contains(&redis.address().port().to_string()), "{told:?}");
}

#[test]
fn a_redis_that_stands_still_is_asked_again() {
    let redis = Redis::start();
    let node = node(&limited(LIMIT), &url(&redis));
    assert_eq!(get(&node, "/").status, 200);
    redis.signal("-STOP");
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [503, 503]);
    redis.signal("-CONT");
    get_until(&node, "/", 200);
    let told = node.messages_until("answers again").join("\n");
    assert!(told.contains("it did not answer within a second"), "{told}");
}

#[test]
fn a_connection_on_which_nothing_comes_back_is_given_up() {
    let redis = Redis::start();
    let network = Network::to(redis.address());
    let node = node(&limited(LIMIT), &format!("redis://{}", network.address));
    assert_eq!(get(&node, "/").remaining(), LIMIT - 1);
    network.swallow_a_connection();
    assert_eq!(get(&node, "/").status, 503);
    assert_eq!(get(&node, "/").remaining(), LIMIT - 3);
}

#[test]
fn a_server_starts_without_its_redis_and_on_error_decides() {
    let mut redis = Redis::start();
    redis.kill();
    let limits = ["deny", "allow", "local"].map(|on_error| {
        let policies = json!({ "rate_limit": { "limit": 1, "per": "7d", "by": "route", "on_error": on_error } });
        let path = format!("/{on_error}");
        json!({ "name": on_error, "match": { "path": path }, "respond": {}, "policies": policies })
    });
    let mut config = limited(1);
    config["routes"] = json!(limits);
    let node = node(&config, &url(&redis));
    // before anybody asks for anything
    let told = node.messages_until("no answer from the Redis").pop().unwrap();
    assert!(told.contains("it cannot be reached") && told.contains("look whether it runs"), "{told}");
    let statuses = ["/deny", "/allow", "/allow", "/local", "/local"].map(|path| get(&node, path).status);
    assert_eq!(statuses, [503, 200, 200, 200, 429]);
    redis.start_again();
    get_until(&node, "/deny", 200);
    assert_eq!(["/deny", "/allow", "/local"].map(|path| get(&node, path).status), [429, 200, 200]);
}

#[test]
fn a_limit_is_forgotten_when_its_bucket_is_full_again() {
    let redis = Redis::start();
    let mut config = limited(10);
    config["routes"][0]["policies"]["rate_limit"]["per"] = json!("10m");
    let node = node(&config, &url(&redis));
    assert_eq!(get(&node, "/").remaining(), 9);
    let keys = redis.ask("KEYS *");
    assert!(keys.starts_with("portico:limit:") && keys.lines().count() == 1 && !keys.contains("global"), "{keys}");
    let left: u32 = redis.ask(&format!("PTTL {keys}")).parse().unwrap();
    assert!(
        (1..=61_000).contains(&left),
        "of ten minutes one of ten units took a tenth, and a second more is kept: {left}"
    );
}

#[test]
fn a_redis_with_tls_must_show_a_certificate_that_the_machine_trusts() {
    let folder = Folder::new("tls");
    let certificate = certificate(&folder.0);
    let redis = Redis::with_tls(&folder.0);
    let address = format!("rediss://localhost:{}", redis.address().port());
    let trusts = [("REDIS_URL", address.as_str()), ("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let node = Node::serve(&limited(1), &trusts, &[]).unwrap();
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [200, 429]);

    let node = Node::serve(&limited(1), &[("REDIS_URL", &address)], &[]).unwrap();
    assert_eq!(get(&node, "/").status, 503);
    let told = node.messages_until("no answer from the Redis").pop().unwrap();
    assert!(told.contains("certificate"), "{told}");
    // of the two names that it has here, one
    let address = format!("rediss://127.0.0.1:{}", redis.address().port());
    let node = Node::serve(&limited(1), &[("REDIS_URL", &address), trusts[1]], &[]).unwrap();
    assert_eq!(get(&node, "/").status, 503);
    let told = node.messages_until("no answer from the Redis").pop().unwrap();
    assert!(told.contains("NotValidForName") && !told.contains("127.0.0.1"), "{told}");
}

#[test]
fn a_password_logs_in_and_is_told_to_nobody() {
    let redis = Redis::with_password("s3cret-of-redis");
    let address = |password: &str| format!("redis://:{password}@{}/7", redis.address());
    let node = node(&limited(1), &address("s3cret-of-redis"));
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [200, 429]);

    let wrong = self::node(&limited(1), &address("wr0ng-password"));
    assert_eq!(get(&wrong, "/").status, 503);
    let told = wrong.messages_until("no answer from the Redis").join("\n");
    assert!(told.contains("it answered AUTH with an error") && !told.contains("wr0ng"), "{told}");
}

/// Whoever has a key that the store knows.
fn keys_in_store() -> Value {
    let mut config = limited(10);
    config["identities"] = json!({ "partners": { "api_key": { "store": {} } } });
    config["routes"][0]["policies"] = json!({ "auth": { "any_of": ["partners"] } });
    config
}

/// Under which the record of the key `key` is: its SHA-256.
const RECORD: &str = "keys/2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";

#[test]
fn values_are_in_the_same_redis_unless_a_directory_is_given() {
    let redis = Redis::start();
    redis.ask(&format!("SET portico:value:{RECORD} {{\"consumer\":\"acme\"}}"));
    let ask = |node: &Node, key: &str| get_with(node, "/", &format!("X-API-Key: {key}")).status;
    let node = node(&keys_in_store(), &url(&redis));
    assert_eq!([ask(&node, "key"), ask(&node, "another")], [200, 401]);

    let empty = Folder::new("empty");
    let address = url(&redis);
    let arguments = ["--values", empty.0.to_str().unwrap()];
    let node = Node::serve(&keys_in_store(), &[("REDIS_URL", &address)], &arguments).unwrap();
    assert_eq!(ask(&node, "key"), 401);
}

#[test]
fn a_redis_that_answers_to_some_commands_is_missed_once() {
    let redis = Redis::start();
    redis.ask(&format!("SET portico:value:{RECORD} {{\"consumer\":\"acme\"}}"));
    let mut config = keys_in_store();
    config["routes"][0]["policies"]["rate_limit"] =
        json!({ "limit": 9, "per": "7d", "by": "global", "on_error": "allow" });
    let node = node(&config, &url(&redis));
    let ask = || get_with(&node, "/", "X-API-Key: key");
    let stranger = |name: u32| get_with(&node, "/", &format!("X-API-Key: {name}")).status;
    assert_eq!(ask().remaining(), 8);
    // of nobody, so that it is a replica, reads and does not write
    redis.ask("REPLICAOF 127.0.0.1 1");
    assert_eq!([1, 2, 3].map(|name| (ask().status, stranger(name))), [(200, 401); 3]);
    redis.ask("REPLICAOF NO ONE");
    assert_eq!(ask().remaining(), 7);
    let told = node.messages_until("answers again").join("\n");
    assert_eq!((told.matches("no answer from").count(), told.matches("answers again").count()), (1, 1), "{told}");
    assert!(told.contains("for limits: it answered READONLY; until there is one `on_error` decides"), "{told}");
    assert!(told.contains("the address of the primary") && told.contains("answers again for limits"), "{told}");
}

#[test]
fn a_node_of_a_cluster_counts_what_it_has_and_the_log_says_what_it_has_not() {
    let folder = Folder::new("cluster");
    let redis = Redis::in_cluster(&folder.0);
    let node = node(&limited(LIMIT), &url(&redis));
    // nobody has anything
    assert_eq!(get(&node, "/").status, 503);
    let told = node.messages_until("no answer from the Redis").pop().unwrap();
    assert!(told.contains("it answered CLUSTERDOWN") && told.contains("put a proxy in front"), "{told}");
    // it has everything
    redis.ask(&(0..16_384).fold("CLUSTER ADDSLOTS".to_owned(), |all, slot| format!("{all} {slot}")));
    get_until(&node, "/", 200);
    node.messages_until("answers again");
}

#[test]
fn without_the_address_no_server_starts() {
    let said = Node::serve(&limited(1), &[], &[]).unwrap_err();
    assert!(said.contains("the secret REDIS_URL, and there is none") && said.contains("help: set the"), "{said}");
    for address in
        ["redis.internal:6379", "redis://", "http://of-nobody.internal", "rediss://of-nobody.internal/#insecure"]
    {
        let said = Node::serve(&limited(1), &[("REDIS_URL", address)], &[]).unwrap_err();
        assert!(said.contains("the secret REDIS_URL: it is no address of a Redis") && said.contains("help:"), "{said}");
        assert!(!said.contains("of-nobody"), "{said}");
    }
}

#[test]
fn a_server_goes_on_counting_where_it_began() {
    let redis = Redis::start();
    let node = node(&limited(2), &url(&redis));
    assert_eq!(get(&node, "/").remaining(), 1);
    let mut alone = limited(2);
    alone.as_object_mut().unwrap().remove("state");
    node.configure(&alone);
    node.signal("-HUP");
    let told = node.messages_until("the one from before keeps serving").join("\n");
    assert!(
        told.contains("`state` cannot change while the server runs") && told.contains("restart the server"),
        "{told}"
    );
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [200, 429]);
    let mut other = limited(2);
    other["routes"][0]["respond"] = json!({ "status": 299 });
    node.configure(&other);
    node.signal("-HUP");
    node.messages_until("reloaded the configuration");
    assert_eq!([(); 2].map(|()| get(&node, "/").status), [429, 429]);
}

#[test]
fn gateways_that_share_a_database_share_limits_of_the_same_names() {
    let redis = Redis::start();
    let mut other = limited(2);
    other["name"] = json!("another");
    let nodes =
        [node(&limited(2), &url(&redis)), node(&other, &url(&redis)), node(&other, &format!("{}/1", url(&redis)))];
    assert_eq!([&nodes[0], &nodes[1], &nodes[0], &nodes[1]].map(|node| get(node, "/").status), [200, 200, 429, 429]);
    assert_eq!(get(&nodes[2], "/").remaining(), 1);
}
