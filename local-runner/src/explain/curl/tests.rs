use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    curl: Curl,
}

fn try_asked(arguments: &[&str]) -> Result<Asked, String> {
    let line = Line::try_parse_from([&["explain"], arguments].concat()).map_err(|error| error.to_string())?;
    line.curl.asked(Some("gateway.test")).map_err(|(message, help)| format!("{message} ({help})"))
}

/// The request as HTTP/1.1 writes it.
fn asked(arguments: &[&str]) -> String {
    let asked = try_asked(arguments).unwrap();
    let scheme = if asked.secure { "https" } else { "http" };
    let mut text = format!("{} {} {scheme}\n", asked.method, asked.target);
    for (name, value) in &asked.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    text + "\n" + std::str::from_utf8(&asked.body).unwrap()
}

#[test]
fn urls_are_as_short_as_curls() {
    assert_eq!(asked(&["https://api.test:8443/a?b=c#d"]), "GET /a?b=c https\nhost: api.test:8443\n\n");
    assert_eq!(asked(&["HTTP://api.test"]), "GET / http\nhost: api.test\n\n");
    assert_eq!(asked(&["api.test:8080?q=a:b"]), "GET /?q=a:b http\nhost: api.test:8080\n\n");
    assert_eq!(asked(&["/orders/7"]), "GET /orders/7 http\nhost: gateway.test\n\n");
    assert_eq!(asked(&["/a/../b//c"]), "GET /a/../b//c http\nhost: gateway.test\n\n", "as it is");
    assert_eq!(asked(&["[::1]:80/a"]), "GET /a http\nhost: [::1]\n\n", "curl leaves out the port that is implied");
    assert_eq!(asked(&["https://api.test:443/a"]), "GET /a https\nhost: api.test\n\n");
    assert_eq!(asked(&["https://api.test:80/a"]), "GET /a https\nhost: api.test:80\n\n");
    assert_eq!(asked(&["/go?to=http://a/"]), "GET /go?to=http://a/ http\nhost: gateway.test\n\n");
    for (url, why) in [
        ("ftp://a/", "a gateway does not speak ftp"),
        ("http://", "no valid host"),
        ("http://a b/", "no valid host"),
        ("/a b", "no valid path"),
        ("https://ada:secret@api.test/", "names a user"),
        ("", "no valid host"),
    ] {
        let error = try_asked(&[url]).unwrap_err();
        assert!(error.contains(why), "{url}: {error}");
    }
}

#[test]
fn data_makes_a_post() {
    let form = "host: gateway.test\ncontent-type: application/x-www-form-urlencoded\n";
    assert_eq!(asked(&["/", "-d", "a=1", "-d", "b=2"]), format!("POST / http\n{form}content-length: 7\n\na=1&b=2"));
    assert_eq!(asked(&["/", "-d", ""]), format!("POST / http\n{form}content-length: 0\n\n"));
    assert_eq!(asked(&["/", "-X", "PUT", "-d-1"]), format!("PUT / http\n{form}content-length: 2\n\n-1"));
    assert_eq!(asked(&["/", "--data-raw", "@a"]), format!("POST / http\n{form}content-length: 2\n\n@a"));
    assert_eq!(
        asked(&["/", "-d", "{}", "-H", "Content-Type: text/x"]),
        "POST / http\ncontent-type: text/x\nhost: gateway.test\ncontent-length: 2\n\n{}"
    );
    assert_eq!(
        asked(&["/", "--json", "[1,", "--json", "2]"]),
        "POST / http\nhost: gateway.test\ncontent-type: application/json\naccept: application/json\ncontent-length: 5\n\n[1,2]"
    );
}

#[test]
fn data_comes_from_files() {
    let path = std::env::temp_dir().join(format!("portico-explain-{}", std::process::id()));
    std::fs::write(&path, "a=1\r\nb=2\n").unwrap();
    let file = format!("@{}", path.display());
    let body = |option: &str| try_asked(&["/", option, &file]).unwrap().body;
    assert_eq!(body("--data"), b"a=1b=2", "line breaks are curl's to drop");
    assert_eq!(body("--data-binary"), b"a=1\r\nb=2\n");
    assert_eq!(body("--json"), b"a=1\r\nb=2\n");
    std::fs::remove_file(&path).unwrap();
    assert!(try_asked(&["/", "-d", &file]).unwrap_err().contains("cannot read"));
}

#[test]
fn headers_are_added_emptied_and_taken_away() {
    assert_eq!(
        asked(&["/", "-H", "X-A: 1", "-H", "x-a:2", "-H", "X-Empty;", "-H", "Host: other.test"]),
        "GET / http\nx-a: 1\nx-a: 2\nx-empty: \nhost: other.test\n\n"
    );
    assert_eq!(asked(&["/", "-H", "Host:"]), "GET / http\n\n");
    assert_eq!(
        asked(&["/", "-I", "-A", "me/1", "-b", "a=1", "-b", "b=2"]),
        "HEAD / http\nhost: gateway.test\nuser-agent: me/1\ncookie: a=1; b=2\n\n"
    );
    assert_eq!(
        asked(&["/", "-A", "me/1", "-H", "User-Agent: you/2"]),
        "GET / http\nuser-agent: you/2\nhost: gateway.test\n\n"
    );
    for wrong in
        [&["-H", "nonsense"][..], &["-H", "a b: c"], &["-H", "@file"], &["-b", "jar"], &["-X", "A B"], &["-A", "a\nb"]]
    {
        assert!(try_asked(&[&["/"], wrong].concat()).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_only_matters_to_curl_is_accepted() {
    let line = ["-sSvikL", "-f", "-N", "--compressed", "--path-as-is", "-o", "/dev/null", "-m", "5", "/a"];
    assert_eq!(asked(&line), "GET /a http\nhost: gateway.test\n\n");
    assert!(try_asked(&["/a", "-I", "-d", "x"]).is_err(), "curl, too, sends one of the two");
    assert!(try_asked(&["/a", "/b"]).is_err());
}
