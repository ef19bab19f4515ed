//! A bundle that is opened as it was built serves what its document serves, though its routes are read much later.

use std::path::Path;

use portico::case;
use portico_core::config::{Bundle, compile};

#[test]
fn every_case_means_the_same_as_a_bundle() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut compared = 0;
    for file in case::files(&cases).unwrap() {
        for case in case::load(&file, &cases).unwrap() {
            let Ok((gateway, _)) = compile(&case.config) else { continue };
            let opened = Bundle::open(&Bundle::new(case.config.clone()).to_string()).unwrap();
            let told = format!("{:?}", opened.hash());
            assert_eq!(told, format!("{:?}", gateway.hash()), "{}", case.name);
            assert!(opened.secrets().eq(gateway.secrets()), "{}: not the same secrets", case.name);
            assert_eq!(opened.routes().count(), gateway.routes().count(), "{}", case.name);
            for (late, early) in opened.routes().zip(gateway.routes()) {
                assert_eq!(format!("{late:?}"), format!("{early:?}"), "{}", case.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "only {compared} routes were compared");
}
