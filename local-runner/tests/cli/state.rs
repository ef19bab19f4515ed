//! `portico dev` and the `state` of a configuration.

use crate::process::{Folder, Server, portico};

#[test]
fn dev_counts_in_its_own_process_whatever_state_says() {
    let folder = Folder::with(
        "\
portico: 1
name: shared
state: { redis: \"${secret.REDIS_URL}\" }
routes:
  - { name: page, match: { path: /page }, respond: {}, policies: { rate_limit: { limit: 1, per: 1h, on_error: deny } } }
",
    );
    // where nobody listens
    folder.write("dev.env", "REDIS_URL=redis://127.0.0.1:1\n");
    let server = Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]));
    assert_eq!([(); 2].map(|()| server.get("/page").status), [200, 429]);
}
