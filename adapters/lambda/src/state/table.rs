//! The table, and the SDK's client of it, made when it is first needed.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Config, Credentials, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use portico_core::{StoreError, Timestamp};

use super::attempts::{Attempts, Patience};

/// The table's partition key, a string.
pub(super) const ID: &str = "id";

/// The attribute for the table's time to live.
pub(super) const EXPIRES: &str = "expires";

/// Kept for so much longer: whoever deletes goes by another clock.
const SLACK: Duration = Duration::from_secs(3_600);

/// An item's attributes.
pub(super) type Item = HashMap<String, AttributeValue>;

/// What became of an update with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Updated {
    /// It was done.
    Done,
    /// The condition did not hold.
    Not,
}

/// A table, and how to get to it.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    http: SharedHttpClient,
    region: Option<String>,
    /// Where DynamoDB is, if not where the region has it.
    endpoint: Option<String>,
    credentials: Option<Credentials>,
    client: OnceLock<Client>,
    pub(super) patience: Patience,
}

impl Table {
    /// The table of this name, reached as `variable` says: the variables of the environment that Lambda sets, and those by which all
    /// SDKs are told of another address. They stay the same for as long as a process lives.
    pub(super) fn new(name: String, http: SharedHttpClient, variable: impl Fn(&str) -> Option<String>) -> Self {
        let pair = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        let token = variable("AWS_SESSION_TOKEN");
        Self {
            name,
            http,
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            endpoint: variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL")),
            credentials: pair.map(|(id, secret)| Credentials::new(id, secret, token, None, "environment")),
            client: OnceLock::new(),
            patience: Patience::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What may be attempted for one request.
    pub(super) fn attempts(&self) -> Attempts {
        Attempts::new(self.patience)
    }

    /// The SDK's client. It neither tries again nor measures time: [`Attempts`] does.
    pub(super) fn client(&self) -> Result<&Client, StoreError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let (Some(region), Some(credentials)) = (&self.region, &self.credentials) else {
            eprintln!(
                "dynamodb: no region or no credentials\nhelp: set AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as Lambda does"
            );
            return Err(StoreError);
        };
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .region(Region::new(region.clone()))
            .credentials_provider(credentials.clone())
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(self.endpoint.clone());
        Ok(self.client.get_or_init(|| Client::from_conf(config.build())))
    }

    /// Performs an update that may have a condition. Either way the item is that before it, `None` when there was none. Without an answer
    /// nobody knows whether it was done: that is `None`, too.
    pub(super) async fn update(
        &self,
        request: UpdateItemFluentBuilder,
        attempts: &mut Attempts,
    ) -> Result<Option<(Updated, Option<Item>)>, StoreError> {
        let request = request
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = || async {
            match request.clone().send().await {
                Ok(output) => Ok((Updated::Done, output.attributes)),
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                        Ok((Updated::Not, failed.item.clone()))
                    }
                    _ => Err(error),
                },
            }
        };
        attempts.perform_once(update).await
    }
}

/// The value of [`EXPIRES`] for what is of no use from `end` on.
pub(super) fn expires(end: Timestamp) -> AttributeValue {
    AttributeValue::N((end + SLACK).as_secs().saturating_add(1).to_string())
}

/// When what an item holds is of no use any more, as [`expires`] wrote it; it may be there for days after that. Never where it does not say so.
pub(super) fn end(item: &Item) -> Timestamp {
    let seconds = item.get(EXPIRES).and_then(|expires| expires.as_n().ok()?.parse::<u64>().ok());
    seconds.map_or(Timestamp::from_micros(u64::MAX), |seconds| {
        Timestamp::from_secs(seconds.saturating_sub(SLACK.as_secs() + 1))
    })
}
