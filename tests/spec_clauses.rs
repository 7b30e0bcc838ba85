//! Spec and code name each other: every clause of `proto-spec/` is cited where the code or a test obeys
//! it, and every citation leads to a clause.
//!
//! Duty: to compare the clause numbers on both sides. Clauses are written `**N.M**` in `proto-spec/*.md`;
//! prose without such a number binds nobody and needs no citation. Never: to judge what a clause says.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the tree must fail")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A clause's section and its number in the section.
type Clause = (u32, u32);
/// Where clause numbers stand, as `file:line`.
type Places = BTreeMap<Clause, Vec<String>>;

#[test]
fn clauses_and_citations_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(root.join("src/lib.rs").is_file(), "no source at {}: nothing to compare", root.display());
    let clauses = collect(root, "proto-spec", "md", clauses);
    let mut cited = collect(root, "src", "rs", citations);
    for (clause, places) in collect(root, "tests", "rs", citations) {
        cited.entry(clause).or_default().extend(places);
    }
    let findings = [uncited(&clauses, &cited), dangling(&clauses, &cited), repeated(&clauses)].concat();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn uncited(clauses: &Places, cited: &Places) -> Vec<String> {
    let report = |((n, m), places): (&Clause, &Vec<String>)| {
        let cite = format!("{} {n}.{m}", "spec");
        format!(
            "{}: nothing cites clause {n}.{m}: write `{cite}` where it is obeyed or proven",
            places.join(", ")
        )
    };
    clauses.iter().filter(|(clause, _)| !cited.contains_key(clause)).map(report).collect()
}

fn dangling(clauses: &Places, cited: &Places) -> Vec<String> {
    let report = |((n, m), places): (&Clause, &Vec<String>)| {
        format!("{}: proto-spec has no clause {n}.{m}: cite the right one, or write it", places.join(", "))
    };
    cited.iter().filter(|(clause, _)| !clauses.contains_key(clause)).map(report).collect()
}

fn repeated(clauses: &Places) -> Vec<String> {
    let report = |((n, m), places): (&Clause, &Vec<String>)| {
        format!(
            "{}: clause {n}.{m} stands more than once: number it anew, or refer to it without `**`",
            places.join(", ")
        )
    };
    clauses.iter().filter(|(_, places)| places.len() > 1).map(report).collect()
}

/// The clause numbers that `read` finds in the files with this extension below `folder`.
fn collect(root: &Path, folder: &str, extension: &str, read: fn(&str) -> Vec<(usize, Clause)>) -> Places {
    let mut places = Places::new();
    for path in files(&root.join(folder), extension) {
        let name = path.strip_prefix(root).unwrap().display();
        for (line, clause) in read(&fs::read_to_string(&path).unwrap()) {
            places.entry(clause).or_default().push(format!("{name}:{line}"));
        }
    }
    places
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => panic!("cannot list {}: {error}", folder.display()),
    };
    let read = |path: PathBuf| {
        if path.is_dir() {
            files(&path, extension)
        } else if path.extension().is_some_and(|found| found == extension) {
            vec![path]
        } else {
            Vec::new()
        }
    };
    entries.into_iter().flat_map(read).collect()
}

/// Every `**N.M**`, with its line.
fn clauses(text: &str) -> Vec<(usize, Clause)> {
    let in_line = |(index, line): (usize, &str)| {
        let bold = line.split("**").skip(1).step_by(2).filter_map(number);
        bold.map(|clause| (index + 1, clause)).collect::<Vec<_>>()
    };
    text.lines().enumerate().flat_map(in_line).collect()
}

/// Every number after the word "spec": one, a list with commas, "and" or "or", or a range with "to" or a
/// hyphen; it may go on in the next comment line.
fn citations(text: &str) -> Vec<(usize, Clause)> {
    let spaced = text.replace(',', ", ").replace('-', " to ");
    let words: Vec<(usize, &str)> = spaced
        .lines()
        .enumerate()
        .flat_map(|(index, line)| line.split_whitespace().map(move |word| (index + 1, word)))
        .filter(|(_, word)| !["//", "///", "//!"].contains(word))
        .collect();
    let starts = words.iter().enumerate().filter(|(_, (_, word))| is_spec_word(word));
    starts.flat_map(|(at, _)| numbers(words.get(at + 1..).unwrap_or_default())).collect()
}

fn is_spec_word(word: &str) -> bool {
    word.trim_start_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case("spec")
}

/// The numbers of one citation, at the start of `words`.
fn numbers(words: &[(usize, &str)]) -> Vec<(usize, Clause)> {
    let mut found: Vec<(usize, Clause)> = Vec::new();
    let mut range = false;
    for (line, word) in words {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        match (number(bare), found.last()) {
            (Some((n, m)), Some((_, (from, first)))) if range && n == *from => {
                found.extend((first + 1..=m).map(|m| (*line, (n, m))));
            }
            (Some(clause), _) => found.push((*line, clause)),
            (None, Some(_)) if ["and", "or", "to"].contains(word) => {
                range = *word == "to";
                continue;
            }
            (None, _) => break,
        }
        range = false;
        if !["", ","].contains(&word.trim_start_matches(bare)) {
            break;
        }
    }
    found
}

fn number(text: &str) -> Option<Clause> {
    let (n, m) = text.split_once('.')?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
    Some((digits(n)?, digits(m)?))
}

#[test]
fn clauses_are_read_from_the_spec() {
    let text = "# 3 Bytes\n**3.1** One form.\nSee 3.2 and **must**, **3.12** (*why*)\n**RFC 8949, 4.2**\n";
    assert_eq!(clauses(text), [(2, (3, 1)), (3, (3, 12))]);
}

#[test]
fn citations_are_read_from_code() {
    for (text, expected) in [
        ("/// Strict § 3.5).", vec![(1, (3, 5))]),
        ("//! as § 3.1 narrows it, 4.2", vec![(1, (3, 1))]),
        ("// (§ 3.1, 3.4 and 12.10; RFC 8949, 4.2)", vec![(1, (3, 1)), (1, (3, 4)), (1, (12, 10))]),
        ("//! (§ 3.3 to 3.6)", vec![(1, (3, 3)), (1, (3, 4)), (1, (3, 5)), (1, (3, 6))]),
        ("/// first check of §\n    /// 3.5, 3.6 that fails", vec![(2, (3, 5)), (2, (3, 6))]),
        ("//! the whole of § 3. RFC 9052, 4.4", vec![]),
        ("respect 3.1, § v1.2", vec![]),
        ("// § 3.1,3.4-3.5", vec![(1, (3, 1)), (1, (3, 4)), (1, (3, 5))]),
    ] {
        assert_eq!(citations(&text.replace('§', "spec")), expected, "{text}");
    }
}

#[test]
fn each_disagreement_is_found() {
    let places =
        |numbers: &[Clause]| numbers.iter().map(|clause| (*clause, vec!["a:1".to_owned()])).collect();
    let (spec, code): (Places, Places) = (places(&[(1, 1), (1, 2)]), places(&[(1, 2), (9, 1)]));
    assert_eq!(uncited(&spec, &code).len(), 1);
    assert!(uncited(&spec, &code).concat().starts_with("a:1: nothing cites clause 1.1:"));
    assert_eq!(dangling(&spec, &code).len(), 1);
    assert!(dangling(&spec, &code).concat().starts_with("a:1: proto-spec has no clause 9.1:"));
    let twice = Places::from([((1, 1), vec!["a:1".to_owned(), "b:2".to_owned()])]);
    assert!(repeated(&spec).is_empty());
    assert!(repeated(&twice).concat().starts_with("a:1, b:2: clause 1.1 stands more than once"));
    assert_eq!(dangling(&Places::new(), &Places::new()), uncited(&Places::new(), &Places::new()));
}
