//! The configuration of workerd, in Cap'n Proto's text format.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::edge;
use super::wrangler::Wrangler;

/// The binding of the KV namespace. `wrangler.toml` leaves it to users whether there is one.
const NAMESPACE: &str = "PORTICO";

/// What one workerd runs.
pub(super) struct Setup<'a> {
    pub(super) wrangler: &'a Wrangler,
    /// Names and values of the secrets.
    pub(super) secrets: Vec<(&'a str, &'a str)>,
    /// Names of service bindings, and where the services are.
    pub(super) services: &'a [(String, SocketAddr)],
    /// What the KV namespace holds at first: a JSON object of texts.
    pub(super) values: String,
    /// Where Durable Objects are stored.
    pub(super) objects: &'a Path,
}

/// The name of the socket that the edge connects to.
pub(super) const CLIENTS: &str = "clients";

/// The name of the socket by which steps change values.
pub(super) const VALUES: &str = "values";

impl Setup<'_> {
    /// The configuration. `worker.js` and `portico.wasm` are looked for in the folders that workerd imports from, the others
    /// beside the configuration.
    pub(super) fn config(&self) -> String {
        let mut services = String::new();
        for (name, address) in self.services {
            let (name, address) = (text(&service(name)), text(&address.to_string()));
            let _ = writeln!(services, "    (name = {name}, external = (address = {address}, http = ())),");
        }
        format!(
            r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "values", worker = .values),
    (name = "cache", worker = .cache),
    (name = "objects", disk = (path = {objects}, writable = true)),
    (name = "internet", network = (allow = ["local"])),
{services}  ],
  sockets = [
    (
      name = "{CLIENTS}", address = "127.0.0.1:0", service = "worker",
      http = (cfBlobHeader = "{cf}", forwardedProtoHeader = "{scheme}"),
    ),
    (name = "{VALUES}", address = "127.0.0.1:0", service = "values", http = ()),
  ],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "/worker.js"),
    (name = "portico.wasm", wasm = embed "/portico.wasm"),
    (name = "bundle.json", text = embed "bundle.json"),
  ],
  compatibilityDate = {date},
  compatibilityFlags = [{flags}],
  bindings = [
{bindings}  ],
  cacheApiOutbound = "cache",
  durableObjectNamespaces = [{namespaces}],
  durableObjectStorage = (localDisk = "objects"),
);

const values :Workerd.Worker = (
  modules = [(name = "values.js", esModule = {values_js})],
  compatibilityDate = {date},
  bindings = [(name = "VALUES", json = {values})],
);

const cache :Workerd.Worker = (
  modules = [(name = "cache.js", esModule = {cache_js})],
  compatibilityDate = {date},
);
"#,
            objects = text(&self.objects.to_string_lossy()),
            cf = edge::CF,
            scheme = edge::SCHEME,
            date = text(&self.wrangler.compatibility_date),
            flags = self.wrangler.compatibility_flags.iter().map(|flag| text(flag)).collect::<Vec<_>>().join(", "),
            bindings = self.bindings(),
            namespaces = self.namespaces(),
            values_js = text(include_str!("values.js")),
            cache_js = text(include_str!("cache.js")),
            values = text(&self.values),
        )
    }

    fn bindings(&self) -> String {
        let wrangler = self.wrangler;
        let vars = wrangler.vars.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let texts = vars.chain(self.secrets.iter().copied()).map(|(name, value)| (name, "text", text(value)));
        let objects = &wrangler.durable_objects.bindings;
        let objects = objects.iter().map(|one| (one.name.as_str(), "durableObjectNamespace", text(&one.class_name)));
        let namespace = (NAMESPACE, "kvNamespace", text("values"));
        let services = self.services.iter().map(|(name, _)| (name.as_str(), "service", text(&service(name))));
        let all = texts.chain(objects).chain([namespace]).chain(services);
        all.map(|(name, kind, value)| format!("    (name = {}, {kind} = {value}),\n", text(name))).collect()
    }

    fn namespaces(&self) -> String {
        let namespace = |class: &str| format!("(className = {0}, uniqueKey = {0}, enableSql = true)", text(class));
        let objects = &self.wrangler.durable_objects.bindings;
        objects.iter().map(|one| namespace(&one.class_name)).collect::<Vec<_>>().join(", ")
    }
}

/// The name of the service behind a service binding.
fn service(binding: &str) -> String {
    format!("binding {binding}")
}

/// A text in quotes.
fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', byte.into()]),
            b' '..=b'~' => quoted.push(byte.into()),
            _ => {
                let _ = write!(quoted, "\\x{byte:02x}");
            }
        }
    }
    quoted.push('"');
    quoted
}
