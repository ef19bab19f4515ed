//! What a component imports, and whether stock Spin 4 has it, or every host of WASI.

use wasmtime::component::Component;
use wasmtime::{Engine, Result};

use crate::app::{Kind, linker};

/// Packages of WASI that Spin 4 has, and the versions of them that it takes.
const WASI: [(&str, &str); 13] = [
    ("wasi:cli", "0.2."),
    ("wasi:clocks", "0.2."),
    ("wasi:filesystem", "0.2."),
    ("wasi:http", "0.2."),
    ("wasi:io", "0.2."),
    ("wasi:random", "0.2."),
    ("wasi:sockets", "0.2."),
    ("wasi:cli", "0.3.0"),
    ("wasi:clocks", "0.3.0"),
    ("wasi:filesystem", "0.3.0"),
    ("wasi:http", "0.3.0"),
    ("wasi:random", "0.3.0"),
    ("wasi:sockets", "0.3.0"),
];

/// Interfaces that Spin 4 has beside these: those of the WIT packages of spin-sdk 7.0.0, but for `wasi:otel`, which is behind a
/// switch.
const OTHERS: [&str; 12] = [
    "fermyon:spin/llm@2.0.0",
    "fermyon:spin/mysql@2.0.0",
    "spin:key-value/key-value@3.0.0",
    "spin:mqtt/mqtt@3.0.0",
    "spin:mysql/mysql@3.0.0",
    "spin:postgres/postgres@4.2.0",
    "spin:redis/redis@3.0.0",
    "spin:sqlite/sqlite@3.1.0",
    "spin:variables/variables@3.0.0",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/store@0.2.0-draft2",
];

/// The rest of `wasi:keyvalue`.
const BATCH: &str = "wasi:keyvalue/batch@0.2.0-draft2";

/// What a component imports, in the order of its file.
pub(crate) fn list(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// Those of the imports that a host of this kind does not have.
pub(crate) fn foreign(imports: &[String], kind: Kind) -> Vec<&str> {
    imports.iter().map(String::as_str).filter(|import| !known(import, kind)).collect()
}

fn known(import: &str, kind: Kind) -> bool {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let package = interface.split('/').next().unwrap_or_default();
    let fits = |wanted: &str| match wanted.ends_with('.') {
        true => version.starts_with(wanted),
        false => version == wanted,
    };
    let wasi = WASI.iter().any(|(name, wanted)| package == *name && fits(wanted));
    match kind {
        Kind::Spin => wasi || OTHERS.contains(&import) || import == BATCH,
        // what serves HTTP of 0.3 need not have that of 0.2
        Kind::Plain => wasi && !(package == "wasi:http" && version.starts_with("0.2.")),
    }
}

/// Whether the functions and types of the imports are those of the WIT packages.
pub(crate) fn check_types(engine: &Engine, component: &Component, kind: Kind) -> Result<()> {
    linker(engine, kind)?.instantiate_pre(component).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spin_has_and_what_it_has_not() {
        let imports = [
            "wasi:http/types@0.3.0",
            "wasi:io/poll@0.2.6",
            "spin:redis/redis@3.0.0",
            "wasi:keyvalue/batch@0.2.0-draft2",
            // too new, not there, another version, no version, two of the kind that is a prefix
            "wasi:http/types@0.3.2",
            "wasi:nn/tensor@0.2.0",
            "spin:redis/redis@3.1.0",
            "wasi:cli/environment",
            "wasi:https/types@0.3.0",
            "wasi:io/poll@0.20.0",
        ];
        let imports: Vec<String> = imports.into_iter().map(str::to_owned).collect();
        assert_eq!(foreign(&imports, Kind::Spin), imports.iter().skip(4).collect::<Vec<_>>());
    }

    #[test]
    fn what_every_host_has_and_what_only_spin_has() {
        let imports = [
            "wasi:http/types@0.3.0",
            "wasi:io/poll@0.2.6",
            "wasi:cli/environment@0.2.6",
            "wasi:http/types@0.2.6",
            "spin:variables/variables@3.0.0",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:config/store@0.2.0-draft-2024-09-27",
        ];
        let imports: Vec<String> = imports.into_iter().map(str::to_owned).collect();
        assert_eq!(foreign(&imports, Kind::Plain), imports.iter().skip(3).collect::<Vec<_>>());
    }
}
