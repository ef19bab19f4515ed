//! `spin:variables` 3.0.0, with the variables of the command line.

use wasmtime::component::{Accessor, HasSelf};

use crate::app::State;
use crate::bindings::spin_wit::variables::variables::{Error, Host, HostWithStore};

impl Host for State {}

impl<T: Send> HostWithStore<T> for HasSelf<State> {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        // Spin's own check of names (spinframework/spin, crates/expressions/src/lib.rs, `Key::validate`)
        let valid = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !name.ends_with('_')
            && !name.contains("__");
        if !valid {
            return Err(Error::InvalidName(name));
        }
        let value = accessor.with(|mut access| access.get().app.variables.get(&name).cloned());
        value.ok_or_else(|| Error::Undefined(format!("no variable for {name:?}")))
    }
}
