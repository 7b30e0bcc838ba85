//! The house rules that neither rustc nor clippy can hold: who may import whom, which layers are pure,
//! how long files and functions may be, and what nothing may be called.
//!
//! Duty: each rule is one function in [`RULES`] that reports every place at once and says what to do.
//! Sources are read as tokens, so comments and string literals never count as code. Never: exceptions
//! for single files; a rule that needs one is the wrong rule.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the tree must fail")]

use std::{fs, path::Path};

use source::{CodePath, Source, rust_files};

#[path = "tidy/proofs.rs"]
mod proofs;
#[path = "tidy/source.rs"]
mod source;

/// The modules of the crate by layer. Imports run from a higher layer to a lower one, or sideways.
const LAYERS: [&[&str]; 7] = [
    &["ids", "limits", "time", "uri"],
    &["crypto", "wire"],
    &["protocol"],
    &["store"],
    &["node", "view"],
    &["federation", "api", "web", "mail"],
    &["config", "telemetry", "cli", "import", "demo", "bench", "main"],
];
/// The highest layer that knows nothing of the outside world.
const PURE_LAYER: usize = 2;
/// The layer whose modules never import each other.
const SHELL_LAYER: usize = 5;
/// Imports inside one layer that would turn the data flow back: from, to.
const NEVER_SIDEWAYS: [(&str, &str); 2] = [("crypto", "wire"), ("view", "node")];
/// What layers up to [`PURE_LAYER`] may not name: files, sockets, clocks, random sources, executors.
const IO_PATHS: [&[&str]; 13] = [
    &["tokio"],
    &["quinn"],
    &["axum"],
    &["redb"],
    &["hyper"],
    &["getrandom"],
    &["rustix"],
    &["socket2"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
];
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];
const SLEEPS: [&[&str]; 3] = [&["thread", "sleep"], &["time", "sleep"], &["time", "sleep_until"]];
const VAGUE_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];
const MARKERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
/// The lints that Cargo.toml must hold, with the weakest level that counts.
const LINT_FLOOR: [(&str, &str, &str); 14] = [
    ("rust", "unsafe_code", "forbid"),
    ("rust", "missing_docs", "warn"),
    ("rust", "unreachable_pub", "warn"),
    ("clippy", "allow_attributes_without_reason", "warn"),
    ("clippy", "as_conversions", "warn"),
    ("clippy", "dbg_macro", "warn"),
    ("clippy", "expect_used", "warn"),
    ("clippy", "indexing_slicing", "warn"),
    ("clippy", "large_futures", "warn"),
    ("clippy", "let_underscore_must_use", "warn"),
    ("clippy", "map_err_ignore", "warn"),
    ("clippy", "todo", "warn"),
    ("clippy", "unused_async", "warn"),
    ("clippy", "unwrap_used", "warn"),
];

type Rule = fn(&Source) -> Vec<String>;
const RULES: [(&str, Rule); 9] = [
    ("imports run downwards", imports_run_downwards),
    ("the core is pure", core_is_pure),
    ("modules are known", modules_are_known),
    ("files are short", files_are_short),
    ("functions are short", functions_are_short),
    ("files open with their duty", files_open_with_their_duty),
    ("names say what is inside", names_say_what_is_inside),
    ("nothing is left to do", nothing_is_left_to_do),
    ("tests never sleep", tests_never_sleep),
];

#[test]
fn the_source_keeps_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut findings = lint_floor_holds(&fs::read_to_string(root.join("Cargo.toml")).unwrap());
    for (path, text) in ["src", "tests", "examples"].iter().flat_map(|folder| rust_files(root, folder)) {
        match Source::parse(&path, &text) {
            Ok(source) => findings.extend(RULES.iter().flat_map(|(_, rule)| rule(&source))),
            Err(finding) => findings.push(finding),
        }
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn imports_run_downwards(source: &Source) -> Vec<String> {
    let Some(from) = source.module() else {
        return Vec::new();
    };
    let wrong = |path: &CodePath| {
        let to = source.imported_module(path)?;
        let advice = import_advice(from, to)?;
        Some(source.finding(path.line, &format!("`{from}` imports `{to}`: {advice}")))
    };
    source.paths().iter().filter_map(wrong).collect()
}

/// Why module `from` may not import module `to`, and what to do; `None` if it may.
fn import_advice(from: &str, to: &str) -> Option<&'static str> {
    let Some(to_layer) = layer(to) else {
        return Some("this is no module of the table; import the item from the module that owns it");
    };
    let from_layer = layer(from)?;
    if from == to {
        None
    } else if to_layer > from_layer {
        Some("imports run downwards only; pass the value in, or move the item to the lower layer")
    } else if from_layer == SHELL_LAYER && to_layer == SHELL_LAYER {
        Some("shells never import each other; move what both need to `node` or `view`")
    } else if NEVER_SIDEWAYS.contains(&(from, to)) {
        Some("only the other direction is allowed; pass the value in, or move the item")
    } else {
        None
    }
}

fn core_is_pure(source: &Source) -> Vec<String> {
    if source.module().and_then(layer).is_none_or(|layer| layer > PURE_LAYER) {
        return Vec::new();
    }
    let wrong = |path: &&CodePath| {
        IO_PATHS.iter().any(|io| path.segments.iter().take(io.len()).eq(io.iter()))
            || path.segments.iter().any(|segment| CLOCKS.contains(&segment.as_str()))
    };
    let report = |path: &CodePath| {
        let what = format!("`{}` in the pure core: take the value as an argument", path.segments.join("::"));
        source.finding(path.line, &what)
    };
    source.paths().iter().filter(wrong).map(report).collect()
}

fn modules_are_known(source: &Source) -> Vec<String> {
    let mut unknown = Vec::new();
    if source.path.starts_with("src/") && source.module().is_some_and(|module| layer(module).is_none()) {
        unknown.push(1);
    }
    if ["src/lib.rs", "src/main.rs"].contains(&source.path.as_str()) {
        let declared = source.tokens.windows(2).filter_map(|pair| match pair {
            [word, name] if word.text == "mod" && layer(&name.text).is_none() => Some(name.line),
            _ => None,
        });
        unknown.extend(declared.filter(|line| !source.is_test(*line)));
    }
    let what = "a top-level module outside the table: give it a layer in LAYERS, or a home in a module there";
    unknown.into_iter().map(|line| source.finding(line, what)).collect()
}

fn files_are_short(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let own = (1..=lines).filter(|line| !source.is_test(*line)).count();
    if own <= FILE_LINES {
        return Vec::new();
    }
    let what =
        format!("{own} lines without tests, {FILE_LINES} are allowed: split it by what its parts are about");
    vec![source.finding(1, &what)]
}

fn functions_are_short(source: &Source) -> Vec<String> {
    let long = |(name, first, last): (&str, usize, usize)| {
        let lines = last - first + 1;
        let what =
            format!("`{name}` has {lines} lines, {FUNCTION_LINES} are allowed: name its steps and split it");
        (lines > FUNCTION_LINES && !source.is_test(first)).then(|| source.finding(first, &what))
    };
    source.functions().into_iter().filter_map(long).collect()
}

fn files_open_with_their_duty(source: &Source) -> Vec<String> {
    if source.text.starts_with("//!") {
        return Vec::new();
    }
    vec![
        source.finding(1, "the file must open with `//!`: its duty, what it must never do, its spec section"),
    ]
}

fn names_say_what_is_inside(source: &Source) -> Vec<String> {
    let parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    let vague = parts.filter(|part| VAGUE_NAMES.contains(part)).map(|part| {
        source.finding(1, &format!("`{part}` says nothing: name the file by the one concept it owns"))
    });
    let managers = source.tokens.windows(2).filter_map(|pair| match pair {
        [word, name] if is_type_word(&word.text) && name.text.ends_with("Manager") => {
            Some(source.finding(name.line, &format!("`{}`: name the type by what it is", name.text)))
        }
        _ => None,
    });
    vague.chain(managers).collect()
}

fn nothing_is_left_to_do(source: &Source) -> Vec<String> {
    let marked = |line: &str| MARKERS.iter().find(|marker| line.contains(**marker));
    let report = |(index, line): (usize, &str)| {
        let marker = marked(line)?;
        Some(source.finding(index + 1, &format!("`{marker}`: do it, or open an issue and delete the line")))
    };
    source.text.lines().enumerate().filter_map(report).collect()
}

fn tests_never_sleep(source: &Source) -> Vec<String> {
    let sleeps =
        |path: &&CodePath| SLEEPS.iter().any(|sleep| path.ends_with(sleep)) && source.is_test(path.line);
    let report = |path: &CodePath| {
        let what = "a test sleeps: wait for the event itself, or pass the time in";
        source.finding(path.line, &format!("`{}`: {what}", path.segments.join("::")))
    };
    source.paths().iter().filter(sleeps).map(report).collect()
}

fn lint_floor_holds(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![format!("Cargo.toml: {error}")],
    };
    let level = |tool: &str, lint: &str| manifest.get("lints")?.get(tool)?.get(lint)?.as_str();
    let strength = |level: &str| ["allow", "warn", "deny", "forbid"].iter().position(|known| *known == level);
    let missing =
        |(tool, lint, floor): &&(&str, &str, &str)| level(tool, lint).and_then(strength) < strength(floor);
    let report = |(tool, lint, floor): &(&str, &str, &str)| {
        format!("Cargo.toml: [lints.{tool}] must hold {lint} = \"{floor}\" or stronger")
    };
    LINT_FLOOR.iter().filter(missing).map(report).collect()
}

/// The layer of a top-level module.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn is_type_word(word: &str) -> bool {
    ["struct", "enum", "trait", "type", "union"].contains(&word)
}
