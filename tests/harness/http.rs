//! The API as bytes: whole answers, so that they can be compared and searched, and live streams.
//!
//! Duty: HTTP/1.1 on a socket. Never: understanding an answer.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::PATIENCE;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line, headers and body, without the date.
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        let body = self.text.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_default()
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
    Answer { status, text: lines.join("\r\n") }
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
