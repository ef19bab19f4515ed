//! Events as AWS writes them: only the members that are needed, borrowed where they can be.
//!
//! The events of every front are one type, since they differ in which members they have. Whatever else is in one is ignored.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// An event of any front.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    /// There in what an authorizer is asked, and in no request.
    #[serde(rename = "type")]
    pub(super) asks: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) http_method: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) raw_path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) raw_query_string: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) query_string_parameters: Option<Pairs<'a, Text<'a>>>,
    #[serde(borrow)]
    pub(super) multi_value_query_string_parameters: Option<Pairs<'a, Vec<Text<'a>>>>,
    #[serde(borrow)]
    pub(super) headers: Option<Pairs<'a, Text<'a>>>,
    #[serde(borrow)]
    pub(super) multi_value_headers: Option<Pairs<'a, Vec<Text<'a>>>>,
    #[serde(borrow)]
    pub(super) cookies: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) body: Option<Text<'a>>,
    pub(super) is_base64_encoded: Option<bool>,
    #[serde(borrow)]
    pub(super) request_context: Option<Context<'a>>,
}

/// What the front knows besides the request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    pub(super) stage: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) domain_name: Option<Text<'a>>,
    /// Payload 2.0.
    #[serde(borrow)]
    pub(super) http: Option<Http<'a>>,
    /// Payload 2.0.
    #[serde(borrow)]
    pub(super) authentication: Option<Authentication<'a>>,
    /// Payload 1.0.
    #[serde(borrow)]
    pub(super) identity: Option<Identity<'a>>,
    /// A load balancer's.
    pub(super) elb: Option<IgnoredAny>,
    /// A WebSocket API's.
    pub(super) connection_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Http<'a> {
    #[serde(borrow)]
    pub(super) method: Text<'a>,
    #[serde(borrow)]
    pub(super) source_ip: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity<'a> {
    #[serde(borrow)]
    pub(super) source_ip: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) client_cert: Option<ClientCert<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authentication<'a> {
    #[serde(borrow)]
    pub(super) client_cert: Option<ClientCert<'a>>,
}

/// A client certificate that API Gateway verified.
#[derive(Deserialize)]
pub(super) struct ClientCert<'a> {
    #[serde(rename = "clientCertPem", borrow)]
    pub(super) pem: Text<'a>,
    #[serde(rename = "subjectDN", borrow)]
    pub(super) subject: Option<Text<'a>>,
    #[serde(rename = "issuerDN", borrow)]
    pub(super) issuer: Option<Text<'a>>,
    #[serde(rename = "serialNumber", borrow)]
    pub(super) serial: Option<Text<'a>>,
}

/// A string: a slice of the event, unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// An object as the list that it is in the text: in its order, and with every name as it is written.
pub(super) struct Pairs<'a, T>(pub(super) Vec<(Text<'a>, T)>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a, T>(PhantomData<Pairs<'a, T>>);

        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Object<'a, T> {
            type Value = Pairs<'a, T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut object: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::with_capacity(24);
                while let Some(pair) = object.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// The lines behind an object of one value a name, or one of a list a name: the latter, where there is one, since it has them all.
pub(super) fn lines<'e>(
    single: Option<&'e Pairs<'_, Text<'_>>>,
    multi: Option<&'e Pairs<'_, Vec<Text<'_>>>>,
) -> impl Iterator<Item = (&'e str, &'e str)> {
    let multi = multi.map_or(&[][..], |pairs| &pairs.0);
    let single = single.filter(|_| multi.is_empty()).map_or(&[][..], |pairs| &pairs.0);
    let several = multi.iter().flat_map(|(name, values)| values.iter().map(move |value| (&*name.0, &*value.0)));
    several.chain(single.iter().map(|(name, value)| (&*name.0, &*value.0)))
}
