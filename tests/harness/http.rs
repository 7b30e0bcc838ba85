//! The API as bytes: whole answers, so that they can be compared and searched, and live streams.
//!
//! Duty: HTTP/1.1 on a socket; every answer held against the API's document. Never: a test's own expectation.

use comity::cli::client::{self, Client};
use hyper::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    PATIENCE,
    contract::{self, Given},
};

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line, headers and body, without the date.
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.body()).unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split_once("\r\n\r\n").unwrap().0;
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

async fn open(host: &str, token: &str, head: &str, body: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut socket = TcpStream::connect(host).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (method, path) = head.split_once(' ').unwrap();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Asks `METHOD /path`, and reads the answer to its end.
pub(crate) async fn ask(host: &str, token: &str, head: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut socket = open(host, token, head, body, headers).await;
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let lines: Vec<_> = text.split("\r\n").filter(|line| !line.starts_with("date: ")).collect();
    let answer = Answer { status, text: lines.join("\r\n") };
    let (method, path) = head.split_once(' ').unwrap();
    let given = Given { status, kind: answer.header("content-type"), body: answer.body() };
    contract::check(method, path, body, &given);
    answer
}

/// The client of the command line, its answers held against the document.
pub(crate) struct Checked(pub(crate) Client);

impl Checked {
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<client::Answer> {
        let answer = self.0.send(method.clone(), path, body, key).await?;
        let asked = body.map(Value::to_string).unwrap_or_default();
        let shown =
            Some(&answer.body).filter(|body| !body.is_null()).map(Value::to_string).unwrap_or_default();
        let given = Given { status: answer.status.as_u16(), kind: None, body: &shown };
        contract::check(method.as_str(), path, &asked, &given);
        Ok(answer)
    }

    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(method, path, body, None).await?;
        anyhow::ensure!(answer.status.is_success(), "{}", answer.body);
        Ok(answer.body)
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn again(&self) -> anyhow::Result<Self> {
        Ok(Self(self.0.again().await?))
    }

    pub(crate) async fn events(self) -> anyhow::Result<client::Events> {
        self.0.events().await
    }
}

/// A stream of live events, read only when asked to.
pub(crate) struct Live {
    socket: TcpStream,
    /// All that came.
    pub(crate) seen: String,
}

impl Live {
    pub(crate) async fn open(host: &str, token: &str, headers: &[(&str, &str)]) -> Self {
        Self { socket: open(host, token, "GET /events", "", headers).await, seen: String::new() }
    }

    /// From a position on, as a page asks for it.
    pub(crate) async fn after(host: &str, token: &str, position: u64) -> Self {
        let head = format!("GET /events?after={position}");
        Self { socket: open(host, token, &head, "", &[]).await, seen: String::new() }
    }

    /// The data of the message with a text, once it has come.
    pub(crate) async fn message(&mut self, text: &str) -> Value {
        self.until(text).await;
        loop {
            let whole =
                self.seen.split_inclusive('\n').find(|line| line.contains(text) && line.ends_with('\n'));
            if let Some(data) = whole.and_then(|line| line.strip_prefix("data:")) {
                return serde_json::from_str(data).unwrap();
            }
            assert!(self.more().await, "the stream ended within an event: {}", self.seen);
        }
    }

    /// Reads on until the text has come.
    pub(crate) async fn until(&mut self, text: &str) {
        let mut from = 0;
        let reading = async {
            while !self.seen[from..].contains(text) {
                from = self.seen.floor_char_boundary(self.seen.len().saturating_sub(text.len()));
                assert!(self.more().await, "the stream ended before `{text}`: {}", self.seen);
            }
        };
        let came = tokio::time::timeout(PATIENCE, reading).await.is_ok();
        assert!(came, "`{text}` does not come: {}", self.seen);
    }

    /// Reads on until the stream ends.
    pub(crate) async fn end(&mut self) {
        let reading = async { while self.more().await {} };
        let ended = tokio::time::timeout(PATIENCE, reading).await.is_ok();
        assert!(ended, "the stream does not end: {}", self.seen);
    }

    async fn more(&mut self) -> bool {
        let mut bytes = vec![0; 1 << 16];
        let read = self.socket.read(&mut bytes).await.unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }

    /// The position of the last event that came.
    pub(crate) fn position(&self) -> String {
        let mut ids = self.seen.lines().filter_map(|line| line.strip_prefix("id:"));
        ids.next_back().unwrap().trim().to_owned()
    }
}
