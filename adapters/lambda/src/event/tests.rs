//! What comes out of events, against files (`adapters/lambda/fixtures/`) and against requests that were made into events.

mod golden;
mod round_trip;
