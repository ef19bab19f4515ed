//! A case file as it is written. Every key is here; `README.md` beside the cases says what they mean.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Derives what every wire type has.
macro_rules! wire {
    ($($item:item)*) => {
        $(
            #[derive(Debug, Clone, Deserialize)]
            #[serde(deny_unknown_fields, rename_all = "snake_case")]
            $item
        )*
    };
}

wire! {
    /// A file: several cases that share what they have in common, or one.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct File {
        pub(super) about: Option<String>,
        /// A place for anchors; not looked at.
        pub(super) shared: Option<Value>,
        pub(super) name: Option<String>,
        pub(super) config: Option<Value>,
        pub(super) secrets: Option<BTreeMap<String, String>>,
        pub(super) upstreams: Option<BTreeMap<String, Vec<Rule>>>,
        pub(super) peer: Option<Peer>,
        pub(super) needs: Vec<Need>,
        pub(super) steps: Option<Vec<Value>>,
        pub(super) refused: Option<Vec<Refused>>,
        pub(super) cases: Vec<Value>,
    }

    /// One of several cases. What it does not say itself it has from its file.
    pub(super) struct Case {
        pub(super) name: String,
        pub(super) about: Option<String>,
        pub(super) config: Option<Value>,
        pub(super) secrets: Option<BTreeMap<String, String>>,
        pub(super) upstreams: Option<BTreeMap<String, Vec<Rule>>>,
        pub(super) peer: Option<Peer>,
        #[serde(default)]
        pub(super) needs: Vec<Need>,
        pub(super) steps: Option<Vec<Value>>,
        pub(super) refused: Option<Vec<Refused>>,
    }

    pub(super) struct Peer {
        pub(super) address: Option<String>,
        #[serde(default)]
        pub(super) secure: bool,
    }

    #[derive(Copy)]
    pub(super) enum Need {
        Clock,
    }

    pub(super) struct Rule {
        #[serde(default)]
        pub(super) when: When,
        pub(super) respond: Option<Respond>,
        pub(super) fail: Option<Fault>,
    }

    #[derive(Default)]
    #[serde(default)]
    pub(super) struct When {
        pub(super) method: Option<String>,
        pub(super) path: Option<String>,
        pub(super) query: Option<String>,
        pub(super) headers: BTreeMap<String, String>,
    }

    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Respond {
        pub(super) status: Option<u16>,
        pub(super) headers: BTreeMap<String, Value>,
        pub(super) json: Option<Value>,
        pub(super) body: Option<String>,
        pub(super) chunks: Option<Vec<String>>,
    }

    #[derive(Copy)]
    pub(super) enum Fault {
        ConnectError,
        Timeout,
        Reset,
    }

    pub(super) struct Refused {
        pub(super) at: String,
        pub(super) says: String,
    }

    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Step {
        pub(super) about: Option<String>,
        pub(super) send: Option<Send>,
        pub(super) expect: Option<Expect>,
        pub(super) repeat: Option<u32>,
        pub(super) advance: Option<String>,
        pub(super) store: Option<Store>,
    }

    #[derive(Copy)]
    pub(super) enum Store {
        Up,
        Down,
    }

    pub(super) struct Send {
        pub(super) method: Option<String>,
        pub(super) url: String,
        pub(super) target: Option<String>,
        #[serde(default)]
        pub(super) headers: BTreeMap<String, Value>,
        pub(super) json: Option<Value>,
        pub(super) body: Option<String>,
        pub(super) chunks: Option<Vec<String>>,
        /// A body of this many bytes, where only its size matters.
        pub(super) body_bytes: Option<usize>,
    }

    pub(super) struct Expect {
        pub(super) status: u16,
        pub(super) problem: Option<String>,
        #[serde(default)]
        pub(super) headers: BTreeMap<String, Value>,
        pub(super) json: Option<Value>,
        pub(super) body: Option<Value>,
        pub(super) upstream: Option<BTreeMap<String, Vec<Seen>>>,
        #[serde(default)]
        pub(super) decisions: BTreeMap<String, String>,
    }

    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Seen {
        pub(super) method: Option<String>,
        pub(super) path: Option<String>,
        pub(super) query: Option<String>,
        pub(super) headers: BTreeMap<String, Value>,
        pub(super) json: Option<Value>,
        pub(super) body: Option<Value>,
        pub(super) body_bytes: Option<usize>,
    }
}
