//! The API's own document as a contract: every answer that a test gets is held against it.
//!
//! Duty: an undocumented status, media type, field or value stops the test; so do a keyword that is not understood here
//! and an answer without a schema. Never: leniency; clients ignore fields that they do not know, this does not.
//!
//! A checker of its own, because the ones that exist pull in as much as a third of the crate to build. `.ci/run` holds
//! the same answers against the same document with another implementation (schemathesis).

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(comity::api::document);

/// What is said of an answer.
pub(crate) struct Given<'a> {
    pub(crate) status: u16,
    /// None: it was not kept.
    pub(crate) kind: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// The documented template and operation of a request; `None`: the document knows no such endpoint.
pub(crate) fn operation(method: &str, path: &str) -> Option<(String, &'static Value)> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || a.starts_with('{') && !b.is_empty())
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let found = paths.iter().filter(|(template, _)| fits(template));
    // `/peers/tickets` before `/peers/{peer}`.
    let (template, methods) = found.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((template.clone(), methods.get(method.to_lowercase())?))
}

/// Stops the test if the answer is not as documented, or what brought it about is not.
pub(crate) fn check(method: &str, path: &str, body: &str, given: &Given<'_>) {
    let Some((template, operation)) = operation(method, path) else {
        assert!([404, 405].contains(&given.status), "{method} {path} is not in the document: {}", given.body);
        return;
    };
    let what = format!("{method} {template}: {} {}", given.status, given.body);
    let answers = &operation["responses"];
    let answer = &answers[given.status.to_string()];
    assert!(answer.is_object(), "an undocumented status: {what}");
    let answer = resolve(answer);
    answered(answer, given, &what);
    if (200..300).contains(&given.status) && !["", "{}", "null"].contains(&body) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "an undocumented body was taken: {body}: {what}");
        let value = serde_json::from_str(body).unwrap();
        whole(schema, &value).unwrap_or_else(|wrong| panic!("it took {body}, but {wrong}: {what}"));
    }
}

fn answered(answer: &Value, given: &Given<'_>, what: &str) {
    let Some(content) = answer.get("content").and_then(Value::as_object) else {
        assert!(given.body.is_empty(), "an undocumented body: {what}");
        return;
    };
    let kind = given.kind.map(|kind| kind.split(';').next().unwrap().trim());
    let (kind, content) = match kind {
        Some(kind) => (kind, content.get(kind)),
        None => content.iter().next().map(|(kind, content)| (kind.as_str(), Some(content))).unwrap(),
    };
    let content = content.unwrap_or_else(|| panic!("an undocumented media type {kind}: {what}"));
    if kind.ends_with("json") {
        let value = serde_json::from_str(given.body).unwrap_or_else(|error| panic!("{error}: {what}"));
        whole(&content["schema"], &value).unwrap_or_else(|wrong| panic!("{wrong}: {what}"));
    }
}

fn resolve(value: &Value) -> &Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(at) => {
            DOCUMENT.pointer(at.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{at} is nowhere"))
        }
        None => value,
    }
}

/// A value of its own: all of its fields have to be documented.
pub(crate) fn whole(schema: &Value, value: &Value) -> Result<(), String> {
    let known = part(schema, value)?;
    let fields = value.as_object().into_iter().flatten();
    match fields.map(|(name, _)| name).find(|name| !known.contains(*name)) {
        Some(name) => Err(format!("the field `{name}` is not documented")),
        None => Ok(()),
    }
}

/// What a schema says of a value; the fields that it knows.
fn part(schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
    let keywords =
        schema.as_object().filter(|keywords| !keywords.is_empty()).ok_or("no schema says what this is")?;
    let mut known = BTreeSet::new();
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "title" | "description" | "default" | "format" | "contentEncoding" => {}
            "$ref" => known.extend(part(resolve(schema), value)?),
            "type" => kinds(rule, value)?,
            "enum" => holds(rule.as_array().unwrap().contains(value), schema, value)?,
            "const" => holds(rule == value, schema, value)?,
            "minimum" => holds(value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()), schema, value)?,
            "maximum" => holds(value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()), schema, value)?,
            "minLength" => holds(length(value).is_none_or(|n| n >= rule.as_u64().unwrap()), schema, value)?,
            "maxLength" => holds(length(value).is_none_or(|n| n <= rule.as_u64().unwrap()), schema, value)?,
            "minItems" => holds(items(value).is_none_or(|n| n >= rule.as_u64().unwrap()), schema, value)?,
            "maxItems" => holds(items(value).is_none_or(|n| n <= rule.as_u64().unwrap()), schema, value)?,
            "pattern" => {
                holds(value.as_str().is_none_or(|text| fits(rule.as_str().unwrap(), text)), schema, value)?
            }
            "items" | "prefixItems" => elements(schema, value)?,
            "uniqueItems" => {}
            "required" => {
                let lacks = |name: &&Value| value.is_object() && value.get(name.as_str().unwrap()).is_none();
                if let Some(name) = rule.as_array().unwrap().iter().find(lacks) {
                    return Err(format!("the field {name} is missing"));
                }
            }
            "properties" | "additionalProperties" => known.extend(fields(schema, value)?),
            "anyOf" | "oneOf" => {
                let tried: Vec<_> = rule.as_array().unwrap().iter().map(|one| part(one, value)).collect();
                let fitting: Vec<_> = tried.iter().flatten().collect();
                holds(!fitting.is_empty(), schema, value).map_err(|wrong| format!("{wrong}: {tried:?}"))?;
                holds(keyword == "anyOf" || fitting.len() == 1, schema, value)?;
                known.extend(fitting.into_iter().flatten().cloned());
            }
            "allOf" => {
                for one in rule.as_array().unwrap() {
                    known.extend(part(one, value)?);
                }
            }
            other => return Err(format!("tests/harness/contract.rs does not know the keyword `{other}`")),
        }
    }
    Ok(known)
}

fn holds(it: bool, schema: &Value, value: &Value) -> Result<(), String> {
    if it { Ok(()) } else { Err(format!("{value} is not {schema}")) }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count().try_into().unwrap())
}

fn items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len().try_into().unwrap())
}

fn kinds(rule: &Value, value: &Value) -> Result<(), String> {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    let fits = match rule {
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        kind => is(kind.as_str().unwrap()),
    };
    if fits { Ok(()) } else { Err(format!("{value} is not of type {rule}")) }
}

fn elements(schema: &Value, value: &Value) -> Result<(), String> {
    let first = schema["prefixItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = first.get(n).or_else(|| schema.get("items")) {
            whole(schema, item)?;
        }
    }
    Ok(())
}

fn fields(schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
    let mut known = BTreeSet::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let rule = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        match rule {
            None => continue,
            Some(Value::Bool(false)) => return Err(format!("the field `{name}` is not taken")),
            Some(Value::Bool(true)) => {}
            Some(rule) => whole(rule, value).map_err(|wrong| format!("{name}: {wrong}"))?,
        }
        known.insert(name.clone());
    }
    Ok(known)
}

/// Patterns as ids have them: `^(gr|th)_[a-z2-7]{52}$`.
fn fits(pattern: &str, text: &str) -> bool {
    let (prefixes, rest) = pattern.trim_start_matches('^').split_once("_[a-z2-7]{").unwrap();
    let length: usize = rest.strip_suffix("}$").unwrap().parse().unwrap();
    let mut prefixes = prefixes.trim_matches(['(', ')']).split('|');
    let body = prefixes.find_map(|prefix| text.strip_prefix(prefix)?.strip_prefix('_'));
    body.is_some_and(|body| {
        body.len() == length && body.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
    })
}
