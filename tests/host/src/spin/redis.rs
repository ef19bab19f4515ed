//! `spin:redis` 3.0.0 (spinframework/spin, crates/factor-outbound-redis/src/host.rs at 03702977): `open` connects, and a
//! connection lives as long as its handle. It waits for a Redis as long as that takes: the version of the crate `redis` that Spin has
//! knows no time limits unless it is told some.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, ParsingError, RedisError, Value};
use wasmtime::component::{Accessor, HasSelf, Resource};

use crate::app::{App, State};
use crate::bindings::spin_wit::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use crate::faults::Lost;

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated traits are public, and name it")]
pub struct Connection(MultiplexedConnection);

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::Other(lost.to_string())
    }
}

fn other(error: RedisError) -> Error {
    Error::Other(error.to_string())
}

/// The connection behind a handle.
fn opened<T: Send>(
    accessor: &Accessor<T, HasSelf<State>>,
    connection: &Resource<Connection>,
) -> Result<(Arc<App>, MultiplexedConnection), Error> {
    accessor.with(|mut access| {
        let state = access.get();
        let open = state.table.get(connection).map_err(|_| Error::Other("could not find connection".to_owned()))?;
        Ok((Arc::clone(&state.app), open.0.clone()))
    })
}

/// Everything in an answer, in one row: Spin flattens what is nested.
struct Flat(Vec<RedisResult>);

impl FromRedisValue for Flat {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        fn flatten(value: Value, flat: &mut Vec<RedisResult>) -> Result<(), ParsingError> {
            match value {
                Value::Nil => flat.push(RedisResult::Nil),
                Value::Int(number) => flat.push(RedisResult::Int64(number)),
                Value::BulkString(bytes) => flat.push(RedisResult::Binary(bytes)),
                Value::SimpleString(text) => flat.push(RedisResult::Status(text)),
                Value::Okay => flat.push(RedisResult::Status("OK".to_owned())),
                Value::Array(values) => return values.into_iter().try_for_each(|value| flatten(value, flat)),
                other => return Err(format!("not a value of RESP 2: {other:?}").into()),
            }
            Ok(())
        }
        let mut flat = Vec::new();
        flatten(value, &mut flat)?;
        Ok(Self(flat))
    }
}

impl Host for State {}

impl HostConnection for State {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<State> {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        let client = Client::open(address).map_err(|_| Error::InvalidAddress)?;
        let patient = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await.map_err(other)?;
        let push = |state: &mut State| state.table.push(Connection(connection));
        accessor.with(|mut access| push(access.get())).map_err(|_| Error::TooManyConnections)
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.change(async { connection.publish(&channel, &payload).await.map_err(other) }).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.read(async { connection.get(&key).await.map_err(other) }).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.change(async { connection.set(&key, &value).await.map_err(other) }).await
    }

    async fn incr(accessor: &Accessor<T, Self>, connection: Resource<Connection>, key: String) -> Result<i64, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.change(async { connection.incr(&key, 1).await.map_err(other) }).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> Result<u32, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.change(async { connection.del(&keys).await.map_err(other) }).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        let added = async {
            connection.sadd(&key, &values).await.map_err(|error: RedisError| match error.kind() {
                ErrorKind::UnexpectedReturnType => Error::TypeError,
                _ => other(error),
            })
        };
        app.faults.change(added).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Vec<String>, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.read(async { connection.smembers(&key).await.map_err(other) }).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        app.faults.change(async { connection.srem(&key, &values).await.map_err(other) }).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let (app, mut connection) = opened(accessor, &connection)?;
        let mut command = redis::cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let executed = async { command.query_async(&mut connection).await.map_err(other) };
        app.faults.change(executed).await.map(|Flat(results)| results)
    }
}
