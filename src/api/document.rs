//! The API's own description: OpenAPI 3.1, made from the table of endpoints and the types of its handlers.
//!
//! Duty: one document of all that is served, and nothing else. Never: a path, a field or a status written down by hand.

use std::sync::OnceLock;

use axum::{
    body::Bytes,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::{
    SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value, json};

use super::{
    Access,
    described::{Described, Operation, Problems},
    problem,
};

/// The document while endpoints are gone through.
pub(super) struct Document {
    paths: Map<String, Value>,
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings.contract = contract;
    });
    settings.into_generator()
}

impl Document {
    pub(super) fn new() -> Self {
        Self {
            paths: Map::new(),
            taken: generator(Contract::Deserialize),
            given: generator(Contract::Serialize),
        }
    }

    /// One endpoint; `summary` is the comment above its line in the table.
    pub(super) fn add<Taken>(
        &mut self,
        method: Method,
        path: &'static str,
        access: Access,
        summary: &[&str],
        handler: &impl Described<Taken>,
    ) {
        let mut operation = Operation {
            method: method.clone(),
            path,
            access,
            taken: &mut self.taken,
            given: &mut self.given,
            parameters: Vec::new(),
            body: None,
            answers: Default::default(),
            problems: Problems::default(),
        };
        handler.describe(&mut operation);
        let shown = shown(operation, summary);
        let entry = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = entry.as_object_mut() {
            methods.insert(method.as_str().to_lowercase(), shown);
        }
    }

    pub(super) fn finish(mut self) -> Value {
        let problem = self.given.subschema_for::<problem::Document>().to_value();
        let mut schemas = self.taken.take_definitions(true);
        schemas.extend(self.given.take_definitions(true));
        let problems = STATUSES.iter().map(|(status, name, why)| {
            let content = json!({ "application/problem+json": { "schema": problem } });
            let mut answer = json!({ "description": why, "content": content });
            if let (&StatusCode::UNAUTHORIZED, Some(fields)) = (status, answer.as_object_mut()) {
                let scheme = json!({ "schema": { "type": "string" } });
                fields.insert("headers".into(), json!({ "WWW-Authenticate": scheme }));
            }
            ((*name).to_owned(), answer)
        });
        let problems: Map<String, Value> = problems.collect();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "comity", "version": env!("CARGO_PKG_VERSION"),
                "summary": env!("CARGO_PKG_DESCRIPTION"),
                "description": ABOUT,
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/api/v1" }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "responses": problems,
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
        })
    }
}

const ABOUT: &str = "Within a version fields are only added: ignore those that you do not know. Moments are numbers of \
    milliseconds since 1970. Errors are problem documents (RFC 9457) with a `code` for programs.";

/// The problem documents by status.
const STATUSES: [(StatusCode, &str, &str); 11] = [
    (StatusCode::BAD_REQUEST, "Malformed", "What was sent is no valid object."),
    (StatusCode::UNAUTHORIZED, "Unauthorized", "A valid token is needed."),
    (StatusCode::FORBIDDEN, "Forbidden", "The viewer knows of it, and may not do this."),
    (StatusCode::NOT_FOUND, "NotFound", "There is no such thing, or the viewer may not know of it."),
    (StatusCode::CONFLICT, "Conflict", "It does not fit what is there: the detail says what to do."),
    (StatusCode::GONE, "Gone", "It was there, and is used up or over."),
    (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", "The body is larger than is taken."),
    (StatusCode::UNPROCESSABLE_ENTITY, "Invalid", "A value breaks its rule: the detail names it."),
    (StatusCode::TOO_MANY_REQUESTS, "Quota", "A bound is reached; later it may not be."),
    (StatusCode::INTERNAL_SERVER_ERROR, "Fault", "The node is at fault: its log says more."),
    (StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "Not now: the code and the detail say who is awaited."),
];

/// Which problem documents an operation may answer with.
fn may_answer(status: StatusCode, operation: &Operation<'_>) -> bool {
    let Problems { viewer, path, query, body, handler } = operation.problems;
    let writes = handler && !operation.method.is_safe();
    match status {
        StatusCode::UNAUTHORIZED => viewer || writes,
        StatusCode::BAD_REQUEST | StatusCode::GONE => writes,
        StatusCode::FORBIDDEN => viewer || writes || handler && path,
        StatusCode::NOT_FOUND => viewer || path || writes,
        StatusCode::CONFLICT => writes || handler && path,
        StatusCode::PAYLOAD_TOO_LARGE => body,
        StatusCode::UNPROCESSABLE_ENTITY => query || body || writes || viewer && !operation.method.is_safe(),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::SERVICE_UNAVAILABLE => viewer || handler,
        _ => false,
    }
}

fn shown(operation: Operation<'_>, summary: &[&str]) -> Value {
    let who = match operation.access {
        Access::Anyone => "Anyone, without signing in.",
        Access::Signed => "Whoever is signed in.",
        Access::Member => "Members of this workspace.",
        Access::Admin => "Admins of this workspace.",
    };
    let mut answers: Map<String, Value> = Map::new();
    for (status, name, _) in STATUSES.iter().filter(|(status, ..)| may_answer(*status, &operation)) {
        answers.insert(status.as_str().into(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    let Operation { method, path, access, parameters, body, answers: given, .. } = operation;
    answers.extend(given.into_iter().map(|(status, answer)| (status.as_str().into(), answer)));
    let security = if access == Access::Anyone { json!([]) } else { json!([{ "token": [] }]) };
    let mut shown = json!({
        "operationId": name(&method, path), "tags": [path.split('/').nth(1)], "description": who,
        "security": security, "responses": answers,
    });
    if let Some(fields) = shown.as_object_mut() {
        if !summary.is_empty() {
            let lines: Vec<_> = summary.iter().map(|line| line.trim()).collect();
            fields.insert("summary".into(), lines.join(" ").into());
        }
        if !parameters.is_empty() {
            fields.insert("parameters".into(), parameters.into());
        }
        fields.extend(body.map(|body| ("requestBody".into(), body)));
    }
    shown
}

/// `getThreadsIdMessages`: for programs that make functions of operations.
fn name(method: &Method, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    };
    method.as_str().to_lowercase() + &words.map(capital).collect::<String>()
}

/// The document as it is served.
pub(super) async fn serve() -> Response {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| super::document().to_string().into()).clone();
    let kind = HeaderValue::from_static("application/json");
    std::future::ready(([(header::CONTENT_TYPE, kind)], text).into_response()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_is_taken_and_given_is_one() {
        let mut document = Document::new();
        super::super::describe(&mut document);
        let (taken, given) = (document.taken.definitions(), document.given.definitions());
        let differ =
            taken.iter().filter(|(name, schema)| given.get(*name).is_some_and(|given| given != *schema));
        let differ: Vec<_> = differ.map(|(name, _)| name).collect();
        assert!(
            differ.is_empty(),
            "read and written differently, so each needs a name of its own: {differ:?}"
        );
    }
}
