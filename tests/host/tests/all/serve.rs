//! What the host does with requests and instances.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::support::{Host, guest, request};

#[test]
fn a_component_is_served() {
    assert_eq!(Host::start(&[]).get("/"), "hello");
}

#[test]
fn a_component_is_told_what_spin_tells() {
    let host = Host::start(&["--client=192.0.2.7:1234", "--scheme=https"]);
    let (_, told) = request(host.clients, "GET", "/headers/x?y=1", &[("Spin-Client-Addr", "203.0.113.9:1")], "");
    let lines = |name: &str| -> Vec<_> { told.lines().filter(|line| line.starts_with(name)).collect() };
    // what the client sent comes first: whoever reads the first line is told a lie
    let addresses = ["spin-client-addr: 203.0.113.9:1", "spin-client-addr: 192.0.2.7:1234"];
    assert_eq!(lines("spin-client-addr"), addresses);
    assert_eq!(lines("spin-full-url"), ["spin-full-url: https://a.example/headers/x?y=1"]);
    assert_eq!(lines("spin-path-info"), ["spin-path-info: /headers/x"]);
}

#[test]
fn a_request_without_a_host_gets_no_response() {
    let host = Host::start(&[]);
    let mut stream = TcpStream::connect(host.clients).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut said = String::new();
    // nothing, or a connection that is reset
    drop(stream.read_to_string(&mut said));
    assert_eq!(said, "");
}

#[test]
fn an_instance_serves_as_many_requests_as_it_is_to() {
    let host = Host::start(&["--requests=3"]);
    let counts: Vec<_> = (0..7).map(|_| host.get("/count")).collect();
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
    assert_eq!((host.count("instances"), host.count("requests"), host.count("trapped")), (3, 7, 0));
}

#[test]
fn an_instance_that_traps_ends_and_the_next_request_gets_another() {
    let host = Host::start(&[]);
    assert_eq!(host.get("/count"), "1");
    for path in ["/trap", "/panic"] {
        assert_eq!(host.send("GET", path, ""), (500, String::new()));
        assert_eq!(host.get("/count"), "1");
    }
    assert_eq!((host.count("instances"), host.count("trapped")), (3, 2));
}

#[test]
fn an_instance_serves_so_many_requests_at_the_same_time() {
    const CLIENTS: usize = 40;
    let host = Host::start(&["--concurrent=4"]);
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = format!("/fetch/{}/", upstream.local_addr().unwrap());
    let told: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| host.get(&path))).collect();
        // none is answered before all have asked
        let mut asked: Vec<_> = (0..CLIENTS).map(|_| upstream.accept().unwrap().0).collect();
        for stream in &mut asked {
            let mut head = BufReader::new(&*stream).lines().map_while(Result::ok);
            assert!(head.any(|line| line.is_empty()));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nup").unwrap();
        }
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let most = told.iter().map(|told| told.split(' ').nth(1).unwrap().parse::<usize>().unwrap()).max();
    assert_eq!(most, Some(4), "{told:?}");
    assert!(told.iter().all(|told| told.starts_with("200 ") && told.ends_with(" up")), "{told:?}");
    assert!(host.count("instances") >= 10);
}

#[test]
fn an_upstream_that_is_not_there_refuses_connections() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, said) = Host::start(&[]).send("GET", &format!("/fetch/{gone}/"), "");
    assert_eq!((status, said.contains("ConnectionRefused")), (502, true), "{said}");
}

#[test]
fn an_address_that_is_not_on_loopback_is_not_asked() {
    let (status, said) = Host::start(&[]).send("GET", "/fetch/192.0.2.1:80/", "");
    assert_eq!((status, said.contains("DestinationIpProhibited")), (502, true), "{said}");
}

#[test]
fn a_folder_is_mounted_read_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let host = Host::start(&["--mount", folder.to_str().unwrap()]);
    assert_eq!(host.get("/file/Cargo.toml"), std::fs::read_to_string(folder.join("Cargo.toml")).unwrap());
    assert_eq!(host.send("GET", "/write/new", "").0, 502);
    assert!(!folder.join("new").exists());
}

#[test]
fn variables_and_the_environment_are_those_of_the_command_line() {
    let host = Host::start(&["--variable=a_name=a=b", "--env=HERE=yes"]);
    assert_eq!(host.get("/variable/a_name"), "a=b");
    assert_eq!(host.get("/environment/HERE"), "yes");
    let refused = |path| host.send("GET", path, "").1;
    assert!(refused("/variable/another").contains("Undefined"));
    assert!(refused("/variable/A_NAME").contains("InvalidName"));
}

#[test]
fn what_a_component_prints_is_printed() {
    let mut host = Host::start(&[]);
    host.get("/print/something");
    let mut line = String::new();
    host.output.read_line(&mut line).unwrap();
    assert_eq!(line, "something\n");
}

#[test]
fn memory_is_counted_and_bounded() {
    const BOUND: u64 = 64 << 20;
    let host = Host::start(&[&format!("--memory={BOUND}")]);
    assert_eq!(host.get("/memory/20000000"), "20000000");
    let taken = host.count("memory");
    assert!((20_000_000..BOUND).contains(&taken), "{taken}");
    // an allocation that fails aborts
    assert_eq!(host.send("GET", "/memory/70000000", "").0, 500);
    assert!(host.count("memory") <= BOUND);
}

#[test]
fn bodies_stream() {
    const CHUNK: usize = 1 << 16;
    const CHUNKS: usize = 1600;
    let host = Host::start(&[]);
    let mut stream = TcpStream::connect(host.clients).unwrap();
    let mut read = stream.try_clone().unwrap();
    let length = CHUNK * CHUNKS;
    let reader = std::thread::spawn(move || {
        let mut received = Vec::new();
        read.read_to_end(&mut received).unwrap();
        received.len()
    });
    let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..CHUNKS {
        stream.write_all(&[b'x'; CHUNK]).unwrap();
    }
    assert!(reader.join().unwrap() >= length);
    // 100 MB went through
    assert!(host.count("memory") < 10 << 20, "{}", host.count("memory"));
}

#[test]
fn what_spin_has_may_be_imported_and_nothing_else() {
    let check = |component: &Path| {
        let command =
            Command::new(env!("CARGO_BIN_EXE_portico-wasi-host")).arg("check-imports").arg(component).output();
        let output = command.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, imports, said) = check(&guest());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(imports.lines().any(|import| import == "spin:redis/redis@3.0.0"), "{imports}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let foreign = folder.join("foreign.wasm");
    std::fs::write(&foreign, importing("other:thing/here@1.0.0")).unwrap();
    let (code, _, said) = check(&foreign);
    assert_eq!(code, Some(1));
    assert!(said.contains("Spin 4 does not have other:thing/here@1.0.0"), "{said}");
}

/// A component that imports an instance with nothing in it.
fn importing(name: &str) -> Vec<u8> {
    let name = [&[0, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
    let import = [&[1], &*name, &[5, 0]].concat();
    let imports = [&[10, u8::try_from(import.len()).unwrap()], &*import].concat();
    // the preamble, then the section of types: one, of such an instance
    [b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0", &*imports].concat()
}
