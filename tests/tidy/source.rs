//! Rust files as tokens with line numbers: paths, functions and test code.
//!
//! Duty: to answer what the rules ask of a file, from its tokens. Never: to judge it.

use std::{fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The Rust files below `folder`, sorted, as paths relative to `root` with their text.
pub(crate) fn rust_files(root: &Path, folder: &str) -> Vec<(String, String)> {
    let mut names: Vec<String> = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("cannot list {folder}: {error}"),
    };
    names.sort();
    let read = |name: String| {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            rust_files(root, &path)
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            vec![(path, text)]
        } else {
            Vec::new()
        }
    };
    names.into_iter().flat_map(read).collect()
}

/// One file, as text and as tokens.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// First and last lines of the items under `#[cfg(test)]`.
    tests: Vec<(usize, usize)>,
}

impl Source {
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|error| format!("{path}: cannot be read: {error}"))?;
        let mut tokens = Vec::new();
        flatten(stream, 0, 0, &mut tokens);
        let tests = test_items(&tokens);
        Ok(Self { path: path.to_owned(), text: text.to_owned(), tokens, tests })
    }

    pub(crate) fn finding(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// The top-level module that the file belongs to; none for lib.rs and for what lies outside `src`.
    pub(crate) fn module(&self) -> Option<&str> {
        let first = self.path.strip_prefix("src/")?.split('/').next()?;
        Some(first.trim_end_matches(".rs")).filter(|module| *module != "lib")
    }

    /// Every path of the file, in order.
    pub(crate) fn paths(&self) -> Vec<CodePath> {
        paths(&self.tokens)
    }

    /// Name, first line and last line of every function with a body.
    pub(crate) fn functions(&self) -> Vec<(&str, usize, usize)> {
        functions(&self.tokens)
    }

    /// Whether the line is test code.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// The top-level module of this crate that the path leads to, if it starts at the crate's root.
    pub(crate) fn imported_module<'a>(&self, path: &'a CodePath) -> Option<&'a str> {
        let rest = path.segments.as_slice();
        let rest = match rest.split_first()? {
            (root, rest) if root == "crate" => rest,
            (root, rest) if root == "comity" && self.path == "src/main.rs" => rest,
            _ => {
                let supers = rest.iter().take_while(|segment| *segment == "super").count();
                let depth = self.depth().filter(|depth| depth + path.modules == supers);
                depth.and_then(|_| rest.get(supers..))?
            }
        };
        rest.first().map(String::as_str).filter(|module| *module != "self")
    }

    /// How many modules deep the file lies below the crate's root; none for the roots.
    fn depth(&self) -> Option<usize> {
        let inner = self.path.strip_prefix("src/")?.trim_end_matches(".rs").trim_end_matches("/mod");
        (!["lib", "main"].contains(&inner)).then(|| inner.split('/').count())
    }
}

pub(crate) struct Token {
    /// The word or the sign; empty for a literal.
    pub(crate) text: String,
    pub(crate) line: usize,
    /// How many brackets are open around it.
    depth: usize,
    /// How many `mod name { .. }` are open around it.
    modules: usize,
}

fn flatten(stream: TokenStream, depth: usize, modules: usize, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let text = match &tree {
            TokenTree::Ident(ident) => ident.to_string(),
            TokenTree::Punct(punct) => punct.to_string(),
            TokenTree::Literal(_) => String::new(),
            TokenTree::Group(group) => brackets(group.delimiter()).0.to_owned(),
        };
        let in_module = matches!(tokens.as_slice(), [.., word, _] if word.text == "mod" && text == "{");
        tokens.push(Token { text, line, depth, modules });
        if let TokenTree::Group(group) = tree {
            flatten(group.stream(), depth + 1, modules + usize::from(in_module), tokens);
            let text = brackets(group.delimiter()).1.to_owned();
            tokens.push(Token { text, line: group.span_close().end().line, depth, modules });
        }
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// First and last lines of every item under `#[cfg(test)]` or `#[cfg(all(test, ..))]`.
fn test_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    let ends = |token: &&Token, depth| token.depth == depth && [";", "}"].contains(&token.text.as_str());
    let item = |start: usize| {
        let rest = tokens.get(start..)?;
        let opens = |words: &[&str]| {
            rest.iter().map(|token| token.text.as_str()).take(words.len()).eq(words.iter().copied())
        };
        if !opens(&["#", "[", "cfg", "(", "test", ")"])
            && !opens(&["#", "[", "cfg", "(", "all", "(", "test", ","])
        {
            return None;
        }
        let first = rest.first()?;
        let mut scope = rest.iter().take_while(|token| token.depth >= first.depth);
        let last = scope.find(|token| ends(token, first.depth)).unwrap_or(first);
        Some((first.line, last.line))
    };
    (0..tokens.len()).filter_map(item).collect()
}

fn functions(tokens: &[Token]) -> Vec<(&str, usize, usize)> {
    let function = |start: usize| {
        let [word, name, rest @ ..] = tokens.get(start..)? else {
            return None;
        };
        if word.text != "fn" || !is_word(name) {
            return None;
        }
        let mut ends = rest.iter().filter(|token| token.depth == word.depth);
        let opened = ends.find(|token| ["{", ";"].contains(&token.text.as_str()))?;
        let closed = ends.next().filter(|_| opened.text == "{")?;
        Some((name.text.as_str(), word.line, closed.line))
    };
    (0..tokens.len()).filter_map(function).collect()
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// A path as it stands in an import or in an expression; imports in braces are spread out.
pub(crate) struct CodePath {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    modules: usize,
}

impl CodePath {
    pub(crate) fn ends_with(&self, tail: &[&str]) -> bool {
        self.segments.iter().rev().zip(tail.iter().rev()).filter(|(a, b)| a == b).count() == tail.len()
    }
}

fn paths(tokens: &[Token]) -> Vec<CodePath> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        rest =
            if is_word(first) { read_path(rest, &[], &mut found) } else { rest.get(1..).unwrap_or_default() };
    }
    found
}

/// Reads one path (or one tree of imports) at the start of `tokens`; returns what follows it.
fn read_path<'a>(mut tokens: &'a [Token], prefix: &[String], found: &mut Vec<CodePath>) -> &'a [Token] {
    let mut segments = prefix.to_vec();
    let mut place = None;
    while let [token, rest @ ..] = tokens {
        if token.text == "{" {
            return read_branches(rest, token.depth, &segments, found);
        }
        segments.push(token.text.clone());
        place.get_or_insert((token.line, token.modules));
        tokens = rest;
        match rest {
            [a, b, next, ..] if a.text == ":" && b.text == ":" && leads_on(next) => {
                tokens = rest.get(2..).unwrap_or_default();
            }
            _ => break,
        }
    }
    found.extend(place.map(|(line, modules)| CodePath { segments, line, modules }));
    tokens
}

fn leads_on(token: &Token) -> bool {
    is_word(token) || ["{", "*"].contains(&token.text.as_str())
}

/// Reads the branches of `prefix::{ .. }` up to the brace that closes at `depth`.
fn read_branches<'a>(
    mut tokens: &'a [Token],
    depth: usize,
    prefix: &[String],
    found: &mut Vec<CodePath>,
) -> &'a [Token] {
    while let [token, rest @ ..] = tokens {
        tokens = match token.text.as_str() {
            "}" if token.depth == depth => return rest,
            "as" => rest.get(1..).unwrap_or_default(),
            _ if leads_on(token) => read_path(tokens, prefix, found),
            _ => rest,
        };
    }
    tokens
}
