//! The schemas of values that are read by hand, since what is wrong with them is better told so.

use std::borrow::Cow;

use portico_core::config::wire::Gateway;
use portico_core::decision::{Outcome, Policy, Reason};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

macro_rules! shapes {
    ($($item:item)*) => {
        $(
            #[derive(JsonSchema)]
            #[serde(deny_unknown_fields, rename_all = "snake_case")]
            #[expect(dead_code, reason = "only their schema is used")]
            $item
        )*
    };
}

shapes! {
    /// The gateway's configuration, or `{ include: FILE }` with a path relative to this file.
    #[schemars(untagged)]
    pub(super) enum Config {
        Include(Include),
        Inline(Box<Gateway>),
    }

    /// A configuration in a file of its own.
    pub(super) struct Include {
        /// Its path, relative to this file.
        include: String,
    }

    /// A text, or a list of texts for several lines.
    #[schemars(untagged)]
    pub(super) enum Lines {
        One(Line),
        Several(Vec<Line>),
    }

    /// The value of one line.
    #[schemars(untagged)]
    pub(super) enum Line {
        Text(String),
        Number(f64),
    }

    /// What a text must be like: exactly this line, exactly these lines, or one of `matches`, `contains`, `lacks` and `present`.
    #[schemars(untagged)]
    pub(super) enum Text {
        Exactly(Lines),
        Such(Such),
    }

    /// What a text must be like.
    pub(super) enum Such {
        /// One line, all of which matches this regular expression.
        Matches(String),
        /// A comma-separated list with this member; letter case does not matter.
        Contains(String),
        /// No line has this text in it.
        Lacks(String),
        /// Whether there is at least one line.
        Present(bool),
    }
}

/// A reason code.
pub(super) struct ReasonCode;

impl JsonSchema for ReasonCode {
    fn schema_name() -> Cow<'static, str> {
        "ReasonCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        json_schema!({ "description": "Why a policy decided as it did; docs/reasons.md lists them.", "enum": codes })
    }
}

/// What policies decided, by their names.
pub(super) struct Decisions;

impl JsonSchema for Decisions {
    fn schema_name() -> Cow<'static, str> {
        "Decisions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let outcomes = Outcome::ALL.map(Outcome::as_str).join("|");
        let decision = json!({ "type": "string", "pattern": format!("^(none|({outcomes})( [a-z_]+)?)$") });
        let policies = Policy::ALL.map(|policy| (policy.as_str().to_owned(), decision.clone()));
        let policies: Map<String, Value> = policies.into_iter().collect();
        json_schema!({ "type": "object", "properties": policies, "additionalProperties": false })
    }
}
