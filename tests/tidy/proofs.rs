//! Proofs that the rules bite: small inputs that each rule must find, and near misses that all let pass.
//!
//! Duty: no rule without a bad input here. Never: the rules themselves.

use std::{collections::BTreeSet, fs, path::Path};

use super::{FILE_LINES, FUNCTION_LINES, RULES, Source, lint_floor_holds};

/// An input that breaks a rule: the rule, the file's path and text, and the lines to be reported.
type Bad<'a> = (&'a str, &'a str, &'a str, &'a [usize]);

const BAD_IMPORTS: [Bad; 12] = [
    ("imports run downwards", "src/ids.rs", "//! x\nuse crate::wire::Frame;", &[2]),
    ("imports run downwards", "src/store/a.rs", "use crate::{\nids, node::{a, b as c},\napi};", &[2, 2, 3]),
    ("imports run downwards", "src/api/mod.rs", "fn a() { crate::web::page() }", &[1]),
    ("imports run downwards", "src/crypto.rs", "use crate::wire;", &[1]),
    ("imports run downwards", "src/view/inbox.rs", "use crate::node::Node;", &[1]),
    ("imports run downwards", "src/wire/mod.rs", "mod tests {\nuse super::super::store::A;\n}", &[2]),
    ("imports run downwards", "src/wire/cbor.rs", "use super::super::store;", &[1]),
    ("imports run downwards", "src/node/mod.rs", "println!(\"{}\", crate::Root::new());", &[1]),
    ("imports run downwards", "src/main.rs", "use comity::engine::run;", &[1]),
    (
        "the core is pure",
        "src/protocol/a.rs",
        "use std::{fmt,\nfs, time::{Duration, Instant}};\nfn a() { tokio::spawn(b) }",
        &[2, 2, 3],
    ),
    ("the core is pure", "src/time.rs", "use std::time;\nfn a() { time::SystemTime::now(); }", &[2]),
    ("the core is pure", "src/wire/a.rs", "#[cfg(test)]\nmod tests {\nuse std::fs;\n}", &[3]),
];

const BAD_FILES: [Bad; 10] = [
    ("modules are known", "src/engine/mod.rs", "", &[1]),
    ("modules are known", "src/lib.rs", "pub mod ids;\nmod engine {}", &[2]),
    ("files open with their duty", "src/ids.rs", "use std::fmt;", &[1]),
    ("names say what is inside", "src/node/helpers.rs", "", &[1]),
    ("names say what is inside", "tests/common/mod.rs", "", &[1]),
    ("names say what is inside", "src/node/a.rs", "\nstruct PeerManager;", &[2]),
    ("nothing is left to do", "src/ids.rs", concat!("//! x\n// TO", "DO: finish"), &[2]),
    ("tests never sleep", "tests/two_nodes.rs", "use tokio::time::{self, sleep};\ntime::sleep(a);", &[1, 2]),
    (
        "tests never sleep",
        "src/node/a.rs",
        "#[cfg(test)]\nmod tests {\nfn a() { std::thread::sleep(b) }\n}",
        &[3],
    ),
    ("tests never sleep", "src/node/tests.rs", "fn a() { tokio::time::sleep_until(b) }", &[1]),
];

#[test]
fn each_rule_finds_what_breaks_it() {
    let long_file = "const A: u8 = 1;\n".repeat(FILE_LINES + 1);
    let long_function = format!("fn a() -> [u8; 2] {{\n{}}}\n", "b();\n".repeat(FUNCTION_LINES - 1));
    let too_long: [Bad; 2] = [
        ("files are short", "src/wire/cbor.rs", &long_file, &[1]),
        ("functions are short", "src/store/a.rs", &long_function, &[1]),
    ];
    let bad: Vec<_> = BAD_IMPORTS.into_iter().chain(BAD_FILES).chain(too_long).collect();
    for (name, path, text, lines) in &bad {
        let (_, rule) = RULES.iter().find(|(known, _)| known == name).unwrap();
        let findings = rule(&Source::parse(path, text).unwrap());
        let places = findings.iter().map(|finding| finding.split(": ").next().unwrap().to_owned());
        let expected: Vec<_> = lines.iter().map(|line| format!("{path}:{line}")).collect();
        assert_eq!(places.collect::<Vec<_>>(), expected, "{name}:\n{text}\n{findings:#?}");
    }
    let proven: BTreeSet<_> = bad.iter().map(|(name, ..)| *name).collect();
    assert_eq!(proven, RULES.iter().map(|(name, _)| *name).collect(), "every rule needs a bad input");
}

#[test]
fn what_is_allowed_passes() {
    let tests = "b();\n".repeat(FILE_LINES);
    let tests = format!("//! x\n#[cfg(test)]\nmod tests {{\nfn a() {{\n{tests}}}\n}}\n");
    let body = "b();\n".repeat(FUNCTION_LINES - 2);
    let longest = format!("//! x\nfn a() -> [u8; 2] {{\n{body}}}\n");
    for (path, text) in [
        (
            "src/wire/mod.rs",
            "//! Never tokio.\nuse crate::{crypto::Hash, ids::*};\nfn a() { b(\"tokio::spawn\") }",
        ),
        ("src/node/mod.rs", "//! x\nuse crate::view::inbox;\nfn a() { tokio::time::sleep(b) }"),
        ("src/crypto.rs", "//! x\nmod tests {\nuse super::*;\nuse super::wire;\n}\npub(crate) struct A;"),
        ("src/lib.rs", "//! x\npub mod ids;\n#[cfg(test)]\nmod tests { use super::*; }"),
        ("src/main.rs", "//! x\nfn main() { comity::cli::run() }"),
        ("src/store/mod.rs", &tests),
        ("src/store/tests.rs", &tests),
        ("src/store/redb.rs", &longest),
    ] {
        let source = Source::parse(path, text).unwrap();
        let findings: Vec<_> = RULES.iter().flat_map(|(_, rule)| rule(&source)).collect();
        assert_eq!(findings, Vec::<String>::new());
    }
}

#[test]
fn a_weakened_lint_floor_is_found() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let weakened = manifest.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\"");
    let expected = [
        "Cargo.toml: [lints.rust] must hold unsafe_code = \"forbid\" or stronger",
        "Cargo.toml: [lints.clippy] must hold todo = \"warn\" or stronger",
    ];
    assert_eq!(lint_floor_holds(&weakened.replace("todo = \"warn\"\n", "")), expected);
}
