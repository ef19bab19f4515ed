//! `portico check`: what it finds in files, what is waived, and how it tells people and tools.

use serde_json::{Value, json};

use crate::process::{Folder, checkout, run};

/// Two warnings, each in its file.
fn two_warnings(waive: &str) -> Folder {
    let folder = Folder::with(&format!(
        "\
portico: 1
name: shop
include: [upstreams.yaml]
routes:
  - name: orders
    match: {{ path: /orders }}
    upstream: orders
{waive}"
    ));
    folder.write("upstreams.yaml", "upstreams:\n  orders: { targets: [{ url: \"http://orders.internal\" }] }\n");
    folder
}

const BOTH: &str = "    waive: { rate_limit_missing: a firewall limits }\nwaive:\n  timeout_missing: it is slow\n";

#[test]
fn findings_have_places_codes_and_a_way_out() {
    let folder = two_warnings("");
    let (code, stdout, stderr) = run(&folder.0, &["check"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("gateway.yaml can be used"), "{stdout}");
    for text in [
        "gateway.yaml:7:15: warning: `orders` forwards whatever anybody sends, without a rate limit [rate_limit_missing]\n",
        "upstreams.yaml:2:3: warning: `orders` has no timeout, so the default of 30s holds [timeout_missing]\n",
        "  help: add `rate_limit: { limit: 60",
        "  at: upstreams.orders\n",
        "\n2 warnings\n",
    ] {
        assert!(stderr.contains(text), "{text:?} is not in:\n{stderr}");
    }
}

#[test]
fn only_check_looks_for_what_may_go_wrong() {
    let folder = two_warnings("");
    let (code, _, stderr) = run(&folder.0, &["build"]);
    assert_eq!((code, stderr.lines().count()), (0, 1), "{stderr}");
}

#[test]
fn exit_codes() {
    let codes = |waive: &str| {
        let folder = two_warnings(waive);
        [
            &[][..],
            &["--deny", "warnings"],
            &["--deny", "warnings", "--format", "json"],
            &["--deny", "warnings", "--format", "sarif"],
        ]
        .map(|more| run(&folder.0, &[&["check"], more].concat()))
        .map(|(code, _, stderr)| (code, stderr.matches("warnings are denied: ").count()))
    };
    assert_eq!(codes(""), [(0, 0), (1, 1), (1, 0), (1, 0)]);
    assert_eq!(codes(BOTH), [(0, 0); 4]);
    let folder = Folder::with("portico: 2\nname: later\n");
    for arguments in [&["check"][..], &["check", "--deny", "warnings"], &["check", "--format", "json"]] {
        assert_eq!(run(&folder.0, arguments).0, 2, "{arguments:?}");
    }
    let (code, stdout, stderr) = run(&folder.0, &["check", "--format", "json"]);
    assert_eq!((code, &*stderr), (2, ""));
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&json!("unknown_format"), &json!("error")));
}

#[test]
fn what_is_waived_is_counted_and_listed_on_request() {
    let folder = two_warnings(BOTH);
    let (code, _, stderr) = run(&folder.0, &["check", "--deny", "warnings"]);
    assert_eq!((code, &*stderr), (0, "2 waived\n"));
    let (_, _, stderr) = run(&folder.0, &["check", "--show-waived"]);
    assert!(stderr.contains("waived: `orders` forwards") && stderr.contains("  reason: it is slow\n"), "{stderr}");
    let (_, stdout, _) = run(&folder.0, &["check", "--format", "json"]);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    let reasons: Vec<_> = found.as_array().unwrap().iter().map(|found| &found["waived"]).collect();
    assert_eq!(reasons, ["a firewall limits", "it is slow"]);
}

#[test]
fn waivers_are_checked_themselves() {
    for (waive, says) in [
        ("timeout_mising: slow", "gateway.yaml:9:3: error: there is no finding `timeout_mising` [waiver_invalid]"),
        ("timeout_mising: slow", "did you mean `timeout_missing`?"),
        ("unknown_key: yes", "gateway.yaml:9:3: error: `unknown_key` cannot be waived [waiver_invalid]"),
        ("timeout_missing: ' '", "gateway.yaml:9:3: error: a waiver without a reason [waiver_invalid]"),
        ("waiver_unused: yes", "`waiver_unused` cannot be waived"),
    ] {
        let (code, _, stderr) = run(&two_warnings(&format!("waive:\n  {waive}\n")).0, &["check"]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(says), "{says:?} is not in:\n{stderr}");
    }
    let unused = two_warnings(&format!("{BOTH}  no_routes: some will come\n  secret_unset: set elsewhere\n"));
    let (code, _, stderr) = run(&unused.0, &["check", "--deny", "warnings"]);
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(stderr.matches("[waiver_unused]").count(), 1, "{stderr}");
    assert!(
        stderr.contains("gateway.yaml:11:3: warning: nothing is found here that `no_routes` would waive"),
        "{stderr}"
    );
    // nothing was looked for, so nothing is known to be unused
    assert!(!run(&unused.0, &["build"]).2.contains("waiver_unused"));
}

#[test]
fn waivers_stand_on_identities_and_upstreams_too() {
    let jwt = |waive: &str| {
        format!(
            "\
portico: 1
name: shop
upstreams: {{ app: {{ targets: [{{ url: \"http://app.internal\" }}], waive: {{ timeout_missing: slow }} }} }}
identities:
  users: {{ jwt: {{ secret: \"${{secret.S}}\", algorithms: [HS256], audience: shop{waive} }} }}
routes:
  - {{ name: a, match: {{ path: /a }}, upstream: app, policies: {{ auth: {{ any_of: [users] }} }} }}
waive: {{ secret_unset: no secrets in CI }}
"
        )
    };
    let told = |waive: &str| run(&Folder::with(&jwt(waive)).0, &["check"]);
    assert!(told("").2.ends_with("\n1 warning, 2 waived\n"), "{:?}", told(""));
    let (code, _, stderr) = told(", waive: { issuer_missing: one issuer has the key }");
    assert_eq!((code, &*stderr), (0, "3 waived\n"));
    // what the compiler warns of is waived for every command
    let folder = Folder::with(&jwt(", waive: { issuer_missing: one issuer has the key }"));
    assert!(!run(&folder.0, &["build"]).2.contains("warning"));
}

#[test]
fn a_target_that_cannot_keep_a_limit_is_refused() {
    let (code, _, stderr) = run(&checkout(), &["check", "--target", "wasi"]);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(stderr.matches("[limit_guarantee]").count(), 3, "{stderr}");
    for target in ["native", "cloudflare", "spin", "lambda"] {
        assert_eq!(run(&checkout(), &["check", "--target", target]).0, 0, "{target}");
    }
    let (code, _, stderr) = run(&checkout(), &["check", "--target", "moon"]);
    assert!(code == 2 && stderr.contains("cloudflare") && stderr.contains("wasi"), "{stderr}");
}

#[test]
fn what_a_lease_lets_pass_is_told_and_denies_nothing() {
    let leased = |keys: &str| {
        format!(
            "portico: 1\nname: shop\nroutes:\n  - {{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ rate_limit: {{ limit: 1000, per: 1m{keys} }} }} }}\n"
        )
    };
    let folder = Folder::with(&leased(", lease: 20"));
    let bound = "in any 1m at most 2000 requests pass, and 19 more for each instance that holds a lease";
    let (code, stdout, stderr) = run(&folder.0, &["check", "--deny", "warnings"]);
    assert!(code == 0 && stdout.contains("can be used"), "{stdout}{stderr}");
    assert!(stderr.starts_with(&format!("gateway.yaml:4:105: note: {bound}")), "{stderr}");
    assert!(stderr.ends_with("\n1 note\n"), "{stderr}");
    let (code, _, stderr) = run(&folder.0, &["check", "--target", "wasi"]);
    assert!(code == 2 && stderr.contains(bound) && stderr.contains("[limit_guarantee]"), "{stderr}");
    let (code, stdout, _) = run(&folder.0, &["check", "--format", "json"]);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &found[0]["severity"], &found[0]["code"]), (0, &"note".into(), &"limit_bound".into()));
    assert!(found[0]["message"].as_str().unwrap().starts_with(bound), "{found}");
    let (_, stdout, _) = run(&folder.0, &["check", "--format", "sarif"]);
    assert!(stdout.contains(r#""level": "note""#), "{stdout}");
    // where nothing is leased there is nothing to tell
    assert_eq!(run(&Folder::with(&leased("")).0, &["check"]).2, "");
}

#[test]
fn codes_are_explained() {
    let (code, stdout, _) = run(&checkout(), &["check", "--explain", "route_shadowed"]);
    assert!(code == 0 && stdout.starts_with("route_shadowed\n\n**warning.** Other routes take"), "{stdout}");
    let (code, stdout, _) = run(&checkout(), &["check", "--explain"]);
    assert!(code == 0 && stdout.contains("\nroute_shadowed               warning  Other routes take"), "{stdout}");
    let (code, _, stderr) = run(&checkout(), &["check", "--explain", "route_shadow"]);
    assert!(code == 2 && stderr.contains("lists them all"), "{stderr}");
}

/// By the letter of SARIF 2.1.0, as far as it is used here: what is required is there, and what refers leads somewhere.
#[test]
fn sarif() {
    let folder = two_warnings("waive:\n  timeout_missing: it is slow\n");
    std::fs::rename(folder.0.join("upstreams.yaml"), folder.0.join("up streams.yaml")).unwrap();
    let text = std::fs::read_to_string(folder.0.join("gateway.yaml")).unwrap();
    folder.write("gateway.yaml", &text.replace("upstreams.yaml", "up streams.yaml"));
    let (code, stdout, stderr) = run(&folder.0, &["check", "--format", "sarif"]);
    assert_eq!((code, &*stderr), (0, ""));
    let log: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let [run_object] = log["runs"].as_array().unwrap().as_slice() else { panic!("{log}") };
    assert_eq!(run_object["columnKind"], "unicodeCodePoints");
    let driver = &run_object["tool"]["driver"];
    assert_eq!(driver["name"], "portico");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty(), "{rule}");
        assert!(rule["help"]["markdown"].as_str().unwrap().starts_with("**"), "{rule}");
    }
    let results = run_object["results"].as_array().unwrap();
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        assert!(result["suppressions"].is_array(), "on all or on none: {result}");
    }
    let [open, waived] = results.as_slice() else { panic!("{results:#?}") };
    assert_eq!(
        *open,
        json!({
            "ruleId": "rate_limit_missing",
            "ruleIndex": open["ruleIndex"],
            "level": "warning",
            "message": { "text": open["message"]["text"] },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": "gateway.yaml" },
                    "region": { "startLine": 7, "startColumn": 15, "endLine": 7, "endColumn": 21 },
                },
                "logicalLocations": [{ "fullyQualifiedName": "routes[0].upstream" }],
            }],
            "suppressions": [],
        })
    );
    let message = open["message"]["text"].as_str().unwrap();
    assert!(message.contains("without a rate limit. Help: add `rate_limit"), "{message}");
    assert_eq!(waived["suppressions"], json!([{ "kind": "inSource", "justification": "it is slow" }]));
    let location = &waived["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(location["uri"], "up%20streams.yaml");

    // a finding without a place has no location, and nothing found is a run without results
    let (_, stdout, _) = run(&folder.0, &["check", "--format", "sarif", "--config", "none.yaml"]);
    let log: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["locations"], json!([]));
    let fine = Folder::with("portico: 1\nname: fine\nroutes: [{ name: a, match: { path: /a }, respond: {} }]\n");
    let (_, stdout, _) = run(&fine.0, &["check", "--format", "sarif"]);
    let log: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&log["runs"][0]["results"], &log["runs"][0]["tool"]["driver"]["rules"]), (&json!([]), &json!([])));
}
