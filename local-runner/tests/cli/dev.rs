//! `portico dev`: it reloads, and what is under way does not notice.

use crate::process::{Folder, Server, portico, run};

fn gateway(routes: &str) -> String {
    format!(
        "\
portico: 1
name: reloading
include: [\"routes/*.yaml\"]
upstreams:
  events: {{ targets: [{{ url: \"demo://sse\" }}] }}
routes:
  - {{ name: events, match: {{ path: /events }}, upstream: events }}
{routes}"
    )
}

const OLD: &str = "  - { name: page, match: { path: /page }, respond: { body: old } }\n";
const NEW: &str = "  - { name: page, match: { path: /page }, respond: { body: new } }\n";

#[test]
fn reloads_keep_streams_and_errors_keep_the_old_configuration() {
    let folder = Folder::with(&gateway(OLD));
    let server = Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]));
    let mut events = server.address.open("GET", "/events?ms=20", &[]);
    events.wait_for("id: 1");
    assert_eq!(server.get("/page").body, "old");
    let old = server.get("/-/health").json()["config"].clone();

    // bad: everything goes on as it was
    folder.write("gateway.yaml", &gateway("  - { name: page, mach: { path: /page }, respond: { body: bad } }\n"));
    assert!(server.wait_for("error").starts_with("gateway.yaml:8:"), "with its place");
    server.wait_for("the configuration from before keeps serving");
    assert_eq!(server.get("/page").body, "old");
    assert_eq!(server.get("/-/health").json()["config"], old);

    // gone: the same
    std::fs::remove_file(folder.0.join("gateway.yaml")).unwrap();
    server.wait_for("there is no file gateway.yaml");
    assert_eq!(server.get("/page").body, "old");

    // another spelling of the old one: nothing to do
    folder.write("gateway.yaml", &gateway(&format!("# a comment\n{OLD}")));
    server.wait_for("nothing to do");
    assert_eq!(server.get("/-/health").json()["config"], old);

    // good: from now on the new one
    folder.write("gateway.yaml", &gateway(NEW));
    server.wait_for("reloaded gateway.yaml: 2 routes");
    assert_eq!(server.get("/page").body, "new");
    assert_ne!(server.get("/-/health").json()["config"], old);

    // a new file that a pattern matches
    folder.write("routes/more.yaml", "routes: [{ name: more, match: { path: /more }, respond: { body: more } }]\n");
    server.wait_for("reloaded gateway.yaml: 3 routes");
    assert_eq!(server.get("/more").body, "more");
    folder.write("routes/more.yaml", "routes: [{ name: more, match: { path: /more }, respond: { body: most } }]\n");
    server.wait_for("reloaded gateway.yaml: 3 routes");
    assert_eq!(server.get("/more").body, "most");

    // the stream from the beginning saw nothing of all this
    events.wait_for("id: ");
    events.wait_for("id: ");
}

#[test]
fn a_new_dev_env_wants_a_restart() {
    let folder = Folder::with(
        "\
portico: 1
name: secretive
routes:
  - { name: a, match: { path: /a }, respond: { body: \"${secret.PORTICO_TEST_A}\" } }
",
    );
    folder.write("dev.env", "PORTICO_TEST_A=from the file\n");
    let server = Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]));
    assert_eq!(server.get("/a").body, "from the file");
    folder.write("dev.env", "PORTICO_TEST_A=changed\n");
    server.wait_for("restart portico to use its new secrets");
    let mut outranked = portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]);
    let server = Server::start(outranked.env("PORTICO_TEST_A", "from the environment"));
    assert_eq!(server.get("/a").body, "from the environment");
}

#[test]
fn the_log_is_for_people_and_shows_no_values() {
    let folder = Folder::with(&gateway(OLD));
    let server = Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]));
    assert_eq!(server.get("/page?token=s3cret").body, "old");
    let line = server.wait_for("/page?token=");
    assert!(
        line.contains("GET  /page?token=… ") && line.contains("  200  ") && line.contains("forward respond responded"),
        "{line}"
    );
    assert!(!line.contains("s3cret") && !line.contains('\u{1b}'), "{line}");
    assert_eq!(server.get("/none").status, 404);
    assert!(server.wait_for("/none").contains("route deny no_route"));
    let (code, stdout, _) = run(&folder.0, &["--version"]);
    assert_eq!((code, stdout.starts_with("portico ")), (0, true));
}

#[cfg(unix)]
#[test]
fn it_ends_when_asked_even_with_an_open_stream() {
    let folder = Folder::with(&gateway(OLD));
    let server = Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]));
    let mut events = server.address.open("GET", "/events", &[]);
    events.wait_for("id: 1");
    server.signal("INT");
    assert_eq!(server.ended().code(), Some(0));
}

const LIMITED: &str = "\
portico: 1
name: limited
routes:
  - { name: one, match: { path: /one }, respond: {}, policies: { rate_limit: { limit: 1, per: 1h, by: route } } }
";

#[test]
fn a_reload_forgets_no_count_and_two_processes_share_none() {
    let folder = Folder::with(LIMITED);
    let command = || portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]);
    let server = Server::start(&mut command());
    assert_eq!((server.get("/one").status, server.get("/one").status), (200, 429));
    folder.write("gateway.yaml", &LIMITED.replace("name: limited", "name: changed"));
    server.wait_for("reloaded gateway.yaml");
    assert_eq!(server.get("/one").status, 429);
    assert_eq!(Server::start(&mut command()).get("/one").status, 200);
}
