//! DynamoDB for tests: moto, which scripts/setup installs, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use portico::case::{Payload, Send};
use serde_json::{Value, json};

use crate::child::Running;
use crate::client::exchange;

/// What requests are signed for. Nobody checks the signature.
const REGION: &str = "eu-central-1";

/// An empty DynamoDB. It ends when this is dropped.
#[derive(Debug)]
pub struct DynamoDb {
    _process: Running,
    address: SocketAddr,
    tables: AtomicU32,
}

impl DynamoDb {
    /// Starts one. Fails when it is not installed.
    pub fn start() -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dynamodb/serve.py");
        let mut process = Command::new("python3")
            .arg(script)
            .env("PYTHONPATH", installed()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let output = process.stdout.take();
        let process = Running(process);
        let mut port = String::new();
        output.map(|output| BufReader::new(output).read_line(&mut port));
        let port = port.trim().parse().map_err(|_| "moto does not start: run scripts/setup".to_owned())?;
        Ok(Self { _process: process, address: (Ipv4Addr::LOCALHOST, port).into(), tables: AtomicU32::new(0) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a function needs in its environment to get there.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "tests".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "tests".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", self.address)),
        ]
    }

    /// A new empty table as the templates make it; the answer is its name.
    pub fn create(&self) -> Result<String, String> {
        let name = format!("portico-{}", self.tables.fetch_add(1, Ordering::Relaxed));
        self.call(
            "CreateTable",
            &json!({
                "TableName": name,
                "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
                "BillingMode": "PAY_PER_REQUEST",
            }),
        )?;
        Ok(name)
    }

    /// Performs one operation of DynamoDB's API.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, String> {
        let body = Payload::Sized(input.to_string().into_bytes());
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            field("Host", &self.address.to_string()),
            field("Content-Type", "application/x-amz-json-1.0"),
            field("Content-Length", &body.bytes().len().to_string()),
            field("X-Amz-Target", &format!("DynamoDB_20120810.{operation}")),
            field(
                "Authorization",
                &format!(
                    "AWS4-HMAC-SHA256 Credential=tests/20200101/{REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
                ),
            ),
        ];
        let send = Send { method: "POST".to_owned(), target: "/".to_owned(), headers, body };
        let (status, message) = exchange(self.address, &send).map_err(|error| format!("{operation}: {error}"))?;
        if status != 200 {
            return Err(format!("{operation}: {status} {}", String::from_utf8_lossy(&message.body)));
        }
        serde_json::from_slice(&message.body).map_err(|error| format!("{operation}: {error}"))
    }
}

/// Where scripts/setup put moto.
fn installed() -> Result<PathBuf, String> {
    let home = || std::env::home_dir().map(|home| home.join(".cache/portico/tools"));
    let tools = std::env::var_os("PORTICO_TOOLS").map(PathBuf::from).or_else(home).unwrap_or_default();
    let installed = tools.join("moto");
    if installed.is_dir() {
        Ok(installed)
    } else {
        Err(format!("there is no {}: run scripts/setup", installed.display()))
    }
}
