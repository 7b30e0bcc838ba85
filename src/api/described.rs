//! What the types of a handler say about its operation.
//!
//! Duty: parameters and body from what a handler takes, statuses and bodies from what it returns: a handler with a type
//! that is not described here cannot stand in the table of endpoints. Never: a fact that is not in the types.

use std::{collections::BTreeMap, convert::Infallible};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    response::sse::{Event, Sse},
};
use futures_util::Stream;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{
    Access, Api,
    answer::{Accepted, Created, Either, JSON_LINES, JsonLines, NoContent, Underway},
    events::LastEvent,
    path::Path,
    problem::Problem,
    viewer::{Body, Query, Viewer},
};

/// An operation while its types are gone through.
pub(super) struct Operation<'a> {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: Access,
    /// Collects the schemas of what is taken.
    pub(super) taken: &'a mut SchemaGenerator,
    /// Collects the schemas of what is given.
    pub(super) given: &'a mut SchemaGenerator,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) answers: BTreeMap<StatusCode, Value>,
    pub(super) problems: Problems,
}

/// Whence problem documents may come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Problems {
    pub(super) viewer: bool,
    pub(super) path: bool,
    pub(super) query: bool,
    pub(super) body: bool,
    pub(super) handler: bool,
}

impl Operation<'_> {
    fn answer(&mut self, status: StatusCode, what: &str, content: Option<(&str, Value)>) {
        let mut answer = json!({ "description": what });
        if let (Some((kind, schema)), Some(fields)) = (content, answer.as_object_mut()) {
            fields.insert("content".into(), json!({ kind: { "schema": schema } }));
        }
        // Two answers under one status: either.
        let merged = match self.answers.remove(&status) {
            Some(before) => either(before, answer),
            None => answer,
        };
        self.answers.insert(status, merged);
    }

    fn json<T: JsonSchema>(&mut self, status: StatusCode, what: &str) {
        let schema = self.given.subschema_for::<T>().to_value();
        self.answer(status, what, Some(("application/json", schema)));
    }
}

fn either(before: Value, after: Value) -> Value {
    let place = "/content/application~1json/schema";
    match (before.pointer(place), after.pointer(place)) {
        (Some(a), Some(b)) if a != b => {
            let both = json!({ "schema": { "anyOf": [a, b] } });
            json!({ "description": before.get("description"), "content": { "application/json": both } })
        }
        _ => before,
    }
}

/// What a handler takes.
pub(super) trait Takes {
    fn take(operation: &mut Operation<'_>);
}

/// What a handler returns.
pub(super) trait Gives {
    fn give(operation: &mut Operation<'_>);
}

/// A handler.
pub(super) trait Described<Taken> {
    fn describe(&self, operation: &mut Operation<'_>);
}

macro_rules! described {
    ($($taken:ident)*) => {
        impl<F, Answer, Given, $($taken),*> Described<($($taken,)*)> for F
        where
            F: Fn($($taken),*) -> Answer,
            Answer: Future<Output = Given>,
            Given: Gives,
            $($taken: Takes,)*
        {
            fn describe(&self, operation: &mut Operation<'_>) {
                $($taken::take(operation);)*
                Given::give(operation);
            }
        }
    };
}

described! {}
described! { A }
described! { A B }
described! { A B C }
described! { A B C D }
described! { A B C D E }

impl Takes for State<Api> {
    fn take(_: &mut Operation<'_>) {}
}

impl Takes for HeaderMap {
    fn take(_: &mut Operation<'_>) {}
}

impl Takes for Viewer {
    fn take(operation: &mut Operation<'_>) {
        operation.problems.viewer = true;
        if !operation.method.is_safe() {
            operation.parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "The same request under the same key is carried out once, however often it is sent.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            }));
        }
    }
}

impl Takes for LastEvent {
    fn take(operation: &mut Operation<'_>) {
        operation.parameters.push(json!({
            "name": "Last-Event-ID", "in": "header", "required": false,
            "description": "The id of the last event that arrived: what came after it is sent again.",
            "schema": { "type": "string" },
        }));
        operation.parameters.push(json!({
            "name": "after", "in": "query", "required": false,
            "description": "The same for who cannot send the header: a position, as GET /inbox has it.",
            "schema": { "type": "string" },
        }));
    }
}

impl<T: JsonSchema> Takes for Path<T> {
    fn take(operation: &mut Operation<'_>) {
        operation.problems.path = true;
        let whole = T::json_schema(operation.taken).to_value();
        let schemas = match whole.get("prefixItems").and_then(Value::as_array) {
            Some(segments) => segments.clone(),
            None => vec![operation.taken.subschema_for::<T>().to_value()],
        };
        let names = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        for (name, schema) in names.zip(schemas) {
            operation
                .parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }
}

impl<T: JsonSchema> Takes for Query<T> {
    fn take(operation: &mut Operation<'_>) {
        operation.problems.query = true;
        let whole = T::json_schema(operation.taken);
        let required: Vec<&str> = whole
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, schema) in whole.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut schema = present(schema);
            let description = schema.as_object_mut().and_then(|fields| fields.remove("description"));
            let required = required.contains(&name.as_str());
            let mut parameter =
                json!({ "name": name, "in": "query", "required": required, "schema": schema });
            if let (Some(fields), Some(description)) = (parameter.as_object_mut(), description) {
                fields.insert("description".into(), description);
            }
            operation.parameters.push(parameter);
        }
    }
}

/// The schema without null: a parameter is there or it is not.
fn present(schema: &Value) -> Value {
    let is_null = |value: &Value| value.get("type").and_then(Value::as_str) == Some("null");
    let mut fields = schema.as_object().cloned().unwrap_or_default();
    if let Some(Value::Array(kinds)) = fields.get_mut("type") {
        kinds.retain(|kind| kind.as_str() != Some("null"));
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            fields.insert("type".into(), kind);
        }
    }
    if fields.get("default").is_some_and(Value::is_null) {
        fields.remove("default");
    }
    if let Some(Value::Array(some)) = fields.get("anyOf").cloned() {
        let mut rest = some.into_iter().filter(|one| !is_null(one));
        if let (Some(Value::Object(one)), None) = (rest.next(), rest.next()) {
            fields.remove("anyOf");
            fields.extend(one);
        }
    }
    Value::Object(fields)
}

impl<T: JsonSchema> Takes for Body<T> {
    fn take(operation: &mut Operation<'_>) {
        operation.problems.body = true;
        let required = T::json_schema(operation.taken).get("required").is_some();
        let schema = operation.taken.subschema_for::<T>().to_value();
        operation.body =
            Some(json!({ "required": required, "content": { "application/json": { "schema": schema } } }));
    }
}

impl<T: JsonSchema> Gives for Json<T> {
    fn give(operation: &mut Operation<'_>) {
        operation.json::<T>(StatusCode::OK, "Here it is.");
    }
}

impl<T: JsonSchema> Gives for Created<T> {
    fn give(operation: &mut Operation<'_>) {
        operation.json::<T>(StatusCode::CREATED, "It was made.");
    }
}

impl<T: JsonSchema> Gives for Accepted<T> {
    fn give(operation: &mut Operation<'_>) {
        operation.json::<T>(StatusCode::ACCEPTED, "It is under way.");
    }
}

impl Gives for Underway {
    fn give(operation: &mut Operation<'_>) {
        operation.answer(StatusCode::ACCEPTED, "It is under way.", None);
    }
}

impl Gives for NoContent {
    fn give(operation: &mut Operation<'_>) {
        operation.answer(StatusCode::NO_CONTENT, "It is done.", None);
    }
}

impl<A: Gives, B: Gives> Gives for Either<A, B> {
    fn give(operation: &mut Operation<'_>) {
        A::give(operation);
        B::give(operation);
    }
}

impl Gives for JsonLines {
    fn give(operation: &mut Operation<'_>) {
        let schema = json!({ "type": "string", "description": "A JSON document per line." });
        operation.answer(StatusCode::OK, "Line by line.", Some((JSON_LINES, schema)));
    }
}

impl<S: Stream<Item = Result<Event, Infallible>>> Gives for Sse<S> {
    fn give(operation: &mut Operation<'_>) {
        // As OpenAPI 3.2 has it for sequences: the schema of one event.
        let text = json!({ "type": "string" });
        let schema = json!({
            "type": "object", "description": "An event; its data is JSON.",
            "properties": { "event": text, "id": text, "data": text }, "required": ["event", "id", "data"],
        });
        operation.answer(StatusCode::OK, "Until the session ends.", Some(("text/event-stream", schema)));
    }
}

impl<T: Gives> Gives for Result<T, Problem> {
    fn give(operation: &mut Operation<'_>) {
        operation.problems.handler = true;
        T::give(operation);
    }
}
