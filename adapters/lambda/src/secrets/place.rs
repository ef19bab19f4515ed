//! Where a secret is: the ARN that a variable holds in place of it.
//!
//! That of a secret in Secrets Manager may go on as ECS has it, `…:json-key:version-stage:version-id`, each of which may be empty: the
//! console makes JSON objects, and a secret is mostly one member of it.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::trouble::Trouble;

/// Parts of a secret's own ARN: `arn:aws:secretsmanager:region:account:secret:name`.
const PARTS: usize = 7;

/// A place, and what is wanted of what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    target: String,
    /// Of a JSON object the member; `None` for all of the text.
    key: Option<String>,
}

impl Place {
    /// The place that an ARN names, in any partition of AWS; `None` when it is a value of its own.
    pub(super) fn of(value: &str) -> Option<Self> {
        let parts: Vec<_> = value.splitn(PARTS + 3, ':').collect();
        match parts.as_slice() {
            ["arn", partition, "secretsmanager", ..] if partition.starts_with("aws") => Some(Self::secret(&parts)),
            ["arn", partition, "ssm", ..] if partition.starts_with("aws") => Some(Self {
                target: ["/systemsmanager/parameters/get?withDecryption=true&name=", &encoded(value)].concat(),
                key: None,
            }),
            _ => None,
        }
    }

    fn secret(parts: &[&str]) -> Self {
        let (arn, wanted) = parts.split_at(parts.len().min(PARTS));
        let wanted = |index| wanted.get(index).copied().filter(|wanted: &&str| !wanted.is_empty());
        let mut target = ["/secretsmanager/get?secretId=", &encoded(&arn.join(":"))].concat();
        for (name, value) in [("&versionStage=", wanted(1)), ("&versionId=", wanted(2))] {
            if let Some(value) = value {
                target.push_str(name);
                target.push_str(&encoded(value));
            }
        }
        Self { target, key: wanted(0).map(str::to_owned) }
    }

    /// The path and the query to ask the extension for.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Of the text that is stored what is wanted.
    pub(super) fn pick(&self, text: String) -> Result<String, Trouble> {
        let Some(key) = &self.key else { return Ok(text) };
        let Ok(Value::Object(mut members)) = serde_json::from_str(&text) else {
            return Err(Trouble::NoObject(key.clone()));
        };
        match members.remove(key) {
            Some(Value::String(string)) => Ok(string),
            Some(_) => Err(Trouble::NoString(key.clone())),
            None => Err(Trouble::NoKey(key.clone())),
        }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/key-a1b2c3";
    const ASKED: &str = "/secretsmanager/get?secretId=arn%3Aaws%3Asecretsmanager%3Aeu%2Dcentral%2D1%3A123456789012%3Asecret%3Ashop%2Fkey%2Da1b2c3";

    #[test]
    fn an_arn_may_name_a_key_and_a_version() {
        for (more, asked, key) in [
            ("", "", None),
            (":", "", None),
            (":::", "", None),
            (":password", "", Some("password")),
            (":password::", "", Some("password")),
            (":pass word&x=1::", "", Some("pass word&x=1")),
            ("::AWSPREVIOUS:", "&versionStage=AWSPREVIOUS", None),
            (":::a&b", "&versionId=a%26b", None),
            (":k:AWSCURRENT:1:2", "&versionStage=AWSCURRENT&versionId=1%3A2", Some("k")),
        ] {
            let place = Place::of(&[SECRET, more].concat()).unwrap();
            assert_eq!(place.target(), [ASKED, asked].concat(), "{more}");
            assert_eq!(place.key.as_deref(), key, "{more}");
        }
    }

    #[test]
    fn a_parameter_is_known_by_all_of_its_arn() {
        let place = Place::of("arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/shop/token:3").unwrap();
        assert_eq!(
            place.target(),
            "/systemsmanager/parameters/get?withDecryption=true&name=arn%3Aaws%2Dus%2Dgov%3Assm%3Aus%2Dgov%2Dwest%2D1%3A123456789012%3A\
             parameter%2Fshop%2Ftoken%3A3"
        );
        assert_eq!(place.key, None);
    }

    #[test]
    fn what_is_no_such_arn_is_a_value() {
        for value in
            ["", "arn", "arn:aws", "arn:aws:s3:::bucket", "arn:own:secretsmanager:a", "secretsmanager", "a:arn:aws:ssm"]
        {
            assert_eq!(Place::of(value), None, "{value}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_had_says_which_and_nothing_of_what_is_stored() {
        let place = Place::of(&[SECRET, ":password::"].concat()).unwrap();
        for (stored, told) in [
            ("hunter2", "no JSON object"),
            ("\"hunter2\"", "no JSON object"),
            ("{\"hunter2\":\"hunter2\"}", "no key `password`"),
            ("{\"password\":{\"hunter2\":2}}", "`password` is no string"),
            ("{\"password\":null}", "`password` is no string"),
        ] {
            let error = place.pick(stored.to_owned()).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("\nhelp: ") && !error.contains("hunter2"), "{error}");
        }
        assert_eq!(place.pick("{\"password\":\"\",\"a\":1}".to_owned()).unwrap(), "");
        let whole = Place::of(SECRET).unwrap();
        assert_eq!(whole.pick("{\"a\":1}".to_owned()).unwrap(), "{\"a\":1}");
    }
}
