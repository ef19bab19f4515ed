//! Templates: `${…}` inside texts of the configuration.
//!
//! | name | value |
//! |---|---|
//! | `path.NAME` | a parameter of the route's path |
//! | `query.NAME` | the first value of a query key |
//! | `header.NAME` | the first value of a request header |
//! | `claims.NAME` | a claim of the verified token |
//! | `consumer` | who was authenticated |
//! | `host`, `method`, `ip` | the request's host, its method, the client's address |
//! | `client.country`, `client.asn` | the country and the autonomous system of the client's address, where the platform knows them |
//! | `client.certificate.NAME` | of the TLS client certificate that the platform verified: `subject`, `issuer`, `serial`, `sha256` |
//! | `request.id` | the request's id |
//! | `uuid` | a new random UUID each time |
//! | `secret.NAME` | a secret of the platform |
//!
//! `$${` stands for a literal `${`. An unknown name is an error of the configuration.

use std::borrow::Cow;

use http::HeaderName;

use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::route::{encode_query, encode_segment};

/// A text with values to fill in, parsed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Value(Variable),
}

/// Something that a template may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// A parameter of the route's path.
    Path(Box<str>),
    /// The first value of a query key.
    Query(Box<str>),
    /// The first value of a request header.
    Header(HeaderName),
    /// A claim of the verified token.
    Claim(Box<str>),
    /// Who was authenticated.
    Consumer,
    /// The request's host, without the port.
    Host,
    /// The request's method.
    Method,
    /// The client's address.
    Ip,
    /// The client's country.
    Country,
    /// The number of the client's autonomous system.
    Asn,
    /// Something of the client's certificate.
    Certificate(CertificateField),
    /// The request's id.
    RequestId,
    /// A new random UUID.
    Uuid,
    /// A secret of the platform.
    Secret(Box<str>),
}

/// What a template may name of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateField {
    /// The distinguished name of its subject.
    Subject,
    /// The distinguished name of its issuer.
    Issuer,
    /// Its serial number.
    Serial,
    /// Its SHA-256, in lower-case hex.
    Sha256,
}

/// Where a rendered template will stand, which says how values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// As it is: header values (checked by whoever sets them), bodies.
    Text,
    /// In a path. Parameters of the route's path keep their encoding and slashes; everything else becomes one segment.
    Path,
    /// A query value.
    Query,
}

/// Who knows the values.
pub trait Values {
    /// The value of `variable`, decoded; `None` when the request has none.
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>>;

    /// A parameter of the route's path as it stands in the canonical path, still encoded.
    fn path_parameter(&self, name: &str) -> Option<&str>;
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `${` without its `}`.
    #[error("`${{` is never closed; write `$${{` for a literal `${{`")]
    Unclosed,
    /// A name that no template knows.
    #[error("unknown template name `{name}`")]
    Unknown {
        /// The name as written.
        name: String,
        /// A known name that is close, or the list of them.
        help: String,
    },
    /// A kind of value without its name, as in `${query.}`.
    #[error("`{0}` lacks a name after the dot")]
    Nameless(String),
}

const NAMES: [&str; 17] = [
    "path.NAME",
    "query.NAME",
    "header.NAME",
    "claims.NAME",
    "consumer",
    "host",
    "method",
    "ip",
    "client.country",
    "client.asn",
    "client.certificate.subject",
    "client.certificate.issuer",
    "client.certificate.serial",
    "client.certificate.sha256",
    "request.id",
    "uuid",
    "secret.NAME",
];

impl Template {
    /// Parses a text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = after;
                continue;
            }
            literal.push_str(before);
            let (name, after) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(Part::Value(Variable::parse(name.trim())?));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self { parts })
    }

    /// The text, when there is nothing to fill in.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with `x` for every value: what can be said of it before there is a request.
    pub(crate) fn sample(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.to_string(),
            Part::Value(_) => "x".to_owned(),
        };
        self.parts.iter().map(text).collect()
    }

    /// What the template names.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value(variable) => Some(variable),
        })
    }

    /// Fills the values in. The error is the variable that has none.
    pub fn render<'t>(&'t self, values: &impl Values, place: Place) -> Result<Cow<'t, str>, &'t Variable> {
        if let Some(text) = self.as_literal() {
            return Ok(Cow::Borrowed(text));
        }
        let mut rendered = String::with_capacity(64);
        for part in &self.parts {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Value(variable @ Variable::Path(name)) if place == Place::Path => {
                    rendered.push_str(values.path_parameter(name).ok_or(variable)?);
                }
                Part::Value(variable) => {
                    let value = values.value(variable).ok_or(variable)?;
                    match place {
                        Place::Text => rendered.push_str(&value),
                        Place::Path => rendered.push_str(&encode_segment(&value)),
                        Place::Query => rendered.push_str(&encode_query(&value)),
                    }
                }
            }
        }
        Ok(Cow::Owned(rendered))
    }
}

impl Variable {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        let unknown = || TemplateError::Unknown { name: name.to_owned(), help: help(name) };
        let Some((kind, rest)) = name.split_once('.') else {
            return match name {
                "consumer" => Ok(Self::Consumer),
                "host" => Ok(Self::Host),
                "method" => Ok(Self::Method),
                "ip" => Ok(Self::Ip),
                "uuid" => Ok(Self::Uuid),
                _ => Err(unknown()),
            };
        };
        let variable = match kind {
            "path" => Self::Path(rest.into()),
            "query" => Self::Query(rest.into()),
            "header" if !rest.is_empty() => Self::Header(rest.parse().map_err(|_| unknown())?),
            "header" => return Err(TemplateError::Nameless(name.to_owned())),
            "claims" => Self::Claim(rest.into()),
            "secret" => Self::Secret(rest.into()),
            "request" if rest == "id" => return Ok(Self::RequestId),
            "client" => {
                return match rest {
                    "country" => Ok(Self::Country),
                    "asn" => Ok(Self::Asn),
                    "certificate.subject" => Ok(Self::Certificate(CertificateField::Subject)),
                    "certificate.issuer" => Ok(Self::Certificate(CertificateField::Issuer)),
                    "certificate.serial" => Ok(Self::Certificate(CertificateField::Serial)),
                    "certificate.sha256" => Ok(Self::Certificate(CertificateField::Sha256)),
                    _ => Err(unknown()),
                };
            }
            _ => return Err(unknown()),
        };
        if rest.is_empty() { Err(TemplateError::Nameless(name.to_owned())) } else { Ok(variable) }
    }

    /// The refusal of a request for which it has no value, at the step that needs it.
    pub(crate) fn refusal(&self, policy: Policy) -> Refusal {
        match self {
            // the operator's fault, and the name is nobody else's business
            Self::Secret(name) => {
                Refusal::new(policy, Reason::SecretMissing).note(format!("there is no secret {name}"))
            }
            _ => Refusal::new(policy, Reason::TemplateValueMissing)
                .detail(format!("The request has no {}.", self.name())),
        }
    }

    /// Whether it is a request header.
    pub fn is_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }

    /// The name, as one would write it.
    pub fn name(&self) -> String {
        match self {
            Self::Path(name) => format!("path.{name}"),
            Self::Query(name) => format!("query.{name}"),
            Self::Header(name) => format!("header.{name}"),
            Self::Claim(name) => format!("claims.{name}"),
            Self::Consumer => "consumer".to_owned(),
            Self::Host => "host".to_owned(),
            Self::Method => "method".to_owned(),
            Self::Ip => "ip".to_owned(),
            Self::Country => "client.country".to_owned(),
            Self::Asn => "client.asn".to_owned(),
            Self::Certificate(CertificateField::Subject) => "client.certificate.subject".to_owned(),
            Self::Certificate(CertificateField::Issuer) => "client.certificate.issuer".to_owned(),
            Self::Certificate(CertificateField::Serial) => "client.certificate.serial".to_owned(),
            Self::Certificate(CertificateField::Sha256) => "client.certificate.sha256".to_owned(),
            Self::RequestId => "request.id".to_owned(),
            Self::Uuid => "uuid".to_owned(),
            Self::Secret(name) => format!("secret.{name}"),
        }
    }
}

fn help(name: &str) -> String {
    let (kind, rest) = name.split_once('.').unwrap_or((name, "NAME"));
    let near = |known: &&&str| {
        let known_kind = known.split('.').next().unwrap_or(known);
        // of several names of one kind the whole counts
        (strsim::osa_distance(kind, known_kind), strsim::osa_distance(name, known))
    };
    match NAMES.iter().min_by_key(near) {
        Some(known) if near(&known).0 <= 2 => format!("did you mean `{}`?", known.replace("NAME", rest)),
        _ => format!("known names: {}", NAMES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Request;

    impl Values for Request {
        fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
            match variable {
                Variable::Path(name) if &**name == "rest" => Some("a/b c".into()),
                Variable::Consumer => Some("../ac me".into()),
                Variable::Header(name) if name == "x-tag" => Some("v&1".into()),
                _ => None,
            }
        }

        fn path_parameter(&self, name: &str) -> Option<&str> {
            (name == "rest").then_some("a/b%20c")
        }
    }

    fn render(text: &str, place: Place) -> Result<String, String> {
        let template = Template::parse(text).unwrap();
        template.render(&Request, place).map(Cow::into_owned).map_err(Variable::name)
    }

    #[test]
    fn values_are_escaped_for_their_place() {
        assert_eq!(render("/v1/${path.rest}", Place::Path), Ok("/v1/a/b%20c".into()));
        assert_eq!(render("/v1/${consumer}", Place::Path), Ok("/v1/..%2Fac%20me".into()));
        assert_eq!(render("${path.rest}-${header.X-Tag}", Place::Text), Ok("a/b c-v&1".into()));
        assert_eq!(render("${header.x-tag}", Place::Query), Ok("v%261".into()));
    }

    #[test]
    fn a_missing_value_is_named() {
        assert_eq!(render("/${query.page}", Place::Path), Err("query.page".into()));
    }

    #[test]
    fn names_are_written_as_they_are_read() {
        for name in NAMES {
            let name = name.replace("NAME", "x");
            let template = Template::parse(&format!("${{{name}}}")).unwrap();
            assert_eq!(template.variables().map(Variable::name).collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn dollars_are_literal_unless_they_open() {
        assert_eq!(render("$5 $${x} }", Place::Text), Ok("$5 ${x} }".into()));
        assert_eq!(Template::parse("").unwrap().as_literal(), Some(""));
    }

    #[test]
    fn unknown_names_are_refused_with_a_suggestion() {
        let help = |text| match Template::parse(text) {
            Err(TemplateError::Unknown { help, .. }) => help,
            other => panic!("{other:?}"),
        };
        assert_eq!(help("${claim.sub}"), "did you mean `claims.sub`?");
        assert_eq!(help("${consumr}"), "did you mean `consumer`?");
        assert_eq!(help("${client.as}"), "did you mean `client.asn`?");
        assert_eq!(help("${client.certificate.sha1}"), "did you mean `client.certificate.sha256`?");
        assert!(help("${nonsense.x}").starts_with("known names: path.NAME"));
        assert_eq!(Template::parse("${query.}"), Err(TemplateError::Nameless("query.".into())));
        assert_eq!(Template::parse("${header.}"), Err(TemplateError::Nameless("header.".into())));
        assert_eq!(Template::parse("a ${host"), Err(TemplateError::Unclosed));
    }
}
