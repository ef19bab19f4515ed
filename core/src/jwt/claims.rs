//! What a token says, and whether the configuration agrees.

use serde_json::{Map, Value};

use super::{Algorithm, TokenError};

/// What the configuration demands of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Accepted algorithms. None accepted when empty.
    pub algorithms: Vec<Algorithm>,
    /// Accepted values of `iss`, compared exactly. `None`: any issuer, also none.
    pub issuer: Option<Vec<String>>,
    /// Accepted audiences, compared exactly; `aud` must name at least one (RFC 7519 §4.1.3). `None`: any, also none.
    pub audience: Option<Vec<String>>,
    /// Accepted values of the header's `typ`, compared as RFC 7515 §4.1.9 says: letter case and a leading
    /// `application/` do not matter. `at+jwt` keeps ID tokens out (RFC 9068 §4). `None`: any, also none.
    pub types: Option<Vec<String>>,
    /// How far the clocks may differ when `exp` and `nbf` are checked, in seconds. Default 0.
    pub leeway: u64,
    /// Whether a token must have an `exp`. Default true.
    pub require_exp: bool,
}

impl Rules {
    /// Any issuer, any audience, any type, no leeway, `exp` demanded.
    pub fn new(algorithms: Vec<Algorithm>) -> Self {
        Self { algorithms, issuer: None, audience: None, types: None, leeway: 0, require_exp: true }
    }
}

/// The claims of a token that was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    all: Map<String, Value>,
    expires: Option<u64>,
    scopes: Vec<String>,
}

impl Claims {
    /// A claim by name, or by a path of names joined by dots (`realm_access.roles`).
    ///
    /// A claim of exactly this name comes first, since names like `https://shop.example/role` have dots themselves. Otherwise
    /// the longest leading part of the path that names an object is taken, and the rest is looked for in there.
    pub fn claim(&self, path: &str) -> Option<&Value> {
        let mut object = &self.all;
        let mut path = path;
        loop {
            if let Some(value) = object.get(path) {
                return Some(value);
            }
            let inner = |(dot, _)| {
                let (name, rest) = path.split_at_checked(dot)?;
                Some((object.get(name)?.as_object()?, rest.strip_prefix('.')?))
            };
            (object, path) = path.rmatch_indices('.').find_map(inner)?;
        }
    }

    /// All claims as they stood in the token.
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// `sub` (RFC 7519 §4.1.2).
    pub fn subject(&self) -> Option<&str> {
        self.all.get("sub").and_then(Value::as_str)
    }

    /// `exp`, in whole seconds since the Unix epoch, rounded down and without the leeway: what remembers the token
    /// may add that. `None` for a token without `exp`, where the rules allow that.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// The scopes: of `scope`, a string of names with spaces between (RFC 8693 §4.2), and of `scp`, as others name it.
    /// Both may also be arrays of names; anything else grants nothing.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether the token has this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|other| other == scope)
    }

    /// About how many bytes of memory the claims take, for bounding what is remembered.
    pub fn weight(&self) -> usize {
        let scopes: usize = self.scopes.iter().map(|scope| scope.len() + size_of::<String>()).sum();
        size_of::<Self>() + scopes + object_weight(&self.all)
    }
}

/// Compares a token's type and claims with the rules.
pub(super) fn check(
    kind: Option<&str>,
    all: Map<String, Value>,
    rules: &Rules,
    now: u64,
) -> Result<Claims, TokenError> {
    if rules.types.as_ref().is_some_and(|types| !kind.is_some_and(|kind| is_type(types, kind))) {
        return Err(TokenError::Type);
    }
    if rules.issuer.as_ref().is_some_and(|issuers| !names_one(issuers, all.get("iss"))) {
        return Err(TokenError::Issuer);
    }
    if rules.audience.as_ref().is_some_and(|audiences| !reaches_one(audiences, all.get("aud"))) {
        return Err(TokenError::Audience);
    }
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let leeway = i64::try_from(rules.leeway).unwrap_or(i64::MAX);
    let expires = numeric_date(&all, "exp", f64::floor)?;
    match expires {
        // RFC 7519 §4.1.4: "on or after which the JWT MUST NOT be accepted"
        Some(expires) if now >= expires.saturating_add(leeway) => return Err(TokenError::Expired),
        None if rules.require_exp => return Err(TokenError::Claim("exp")),
        _ => {}
    }
    if numeric_date(&all, "nbf", f64::ceil)?.is_some_and(|nbf| now.saturating_add(leeway) < nbf) {
        return Err(TokenError::NotYetValid);
    }
    // not compared: it tells the age, and an issuer's clock a second ahead would lock everybody out
    numeric_date(&all, "iat", f64::floor)?;
    if all.get("sub").is_some_and(|subject| !subject.is_string()) {
        return Err(TokenError::Claim("sub"));
    }
    let expires = expires.map(|expires| u64::try_from(expires).unwrap_or(0));
    let mut scopes = Vec::new();
    for name in ["scope", "scp"] {
        collect_scopes(all.get(name), &mut scopes);
    }
    Ok(Claims { all, expires, scopes })
}

/// A NumericDate (RFC 7519 §2) in whole seconds; `round` takes fractions to the stricter side.
fn numeric_date(
    claims: &Map<String, Value>,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let number = value.as_number().ok_or(TokenError::Claim(name))?;
    if let Some(seconds) = number.as_i64() {
        return Ok(Some(seconds));
    }
    let seconds = number.as_f64().filter(|seconds| seconds.is_finite()).ok_or(TokenError::Claim(name))?;
    // the cast saturates, which is what is meant
    let seconds = round(seconds) as i64;
    Ok(Some(seconds))
}

fn names_one(accepted: &[String], value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|name| accepted.iter().any(|one| one == name))
}

/// `aud` is a string or an array of strings (RFC 7519 §4.1.3); with anything else among them it is malformed.
fn reaches_one(accepted: &[String], value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(names)) => {
            names.iter().all(Value::is_string) && names.iter().any(|name| names_one(accepted, Some(name)))
        }
        other => names_one(accepted, other),
    }
}

fn is_type(accepted: &[String], kind: &str) -> bool {
    fn short(kind: &str) -> &str {
        const PREFIX: &str = "application/";
        match kind.split_at_checked(PREFIX.len()) {
            // the prefix is left out only where no other slash follows
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
            _ => kind,
        }
    }
    accepted.iter().any(|one| short(one).eq_ignore_ascii_case(short(kind)))
}

fn collect_scopes(value: Option<&Value>, scopes: &mut Vec<String>) {
    let mut add = |scope: &str| {
        if !scope.is_empty() && !scopes.iter().any(|other| other == scope) {
            scopes.push(scope.to_owned());
        }
    };
    match value {
        Some(Value::String(names)) => names.split(' ').for_each(add),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).for_each(&mut add),
        _ => {}
    }
}

fn object_weight(object: &Map<String, Value>) -> usize {
    // a node of the tree has room for eleven entries, used or not
    let slots = object.len().next_multiple_of(11);
    let entries: usize = object.iter().map(|(name, value)| name.len() + value_weight(value)).sum();
    slots * (size_of::<String>() + size_of::<Value>()) + entries
}

/// What a value takes beyond its own place.
fn value_weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.capacity() * size_of::<Value>() + values.iter().map(value_weight).sum::<usize>(),
        Value::Object(object) => object_weight(object),
    }
}
