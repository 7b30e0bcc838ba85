//! A small HTTP client for the own API.
//!
//! Duty: one connection, JSON in and out, server-sent events. Never: showing a token.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A connection to one node in the name of one user.
#[derive(Debug)]
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
    token: String,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The document; null when there is none.
    pub body: Value,
}

impl Client {
    /// Connects to `host:port`, plain HTTP.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(host: &str, token: &str) -> Result<Self> {
        let unreachable = || format!("no node answers at {host}: start it with `comity serve`");
        let stream = TcpStream::connect(host).await.with_context(unreachable)?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        #[expect(clippy::disallowed_methods, reason = "ends with the connection that it drives")]
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the node ended");
            }
        });
        Ok(Self { sender, host: host.to_owned(), token: token.to_owned() })
    }

    /// Another connection to the same node in the same name.
    ///
    /// # Errors
    /// Nobody listens there any more.
    pub async fn again(&self) -> Result<Self> {
        Self::connect(&self.host, &self.token).await
    }

    /// Sends a request, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// The connection failed, or the answer is not JSON.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Answer> {
        let response = self.open(method, path, body, key).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok(Answer { status, body })
    }

    /// Sends a request that must succeed.
    ///
    /// # Errors
    /// The connection failed, or the API refuses; then its detail.
    pub async fn call(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let Answer { status, body } = self.send(method, path, body, None).await?;
        if status.is_success() {
            return Ok(body);
        }
        let detail = body.get("detail").and_then(Value::as_str).unwrap_or("no detail");
        bail!("{detail} ({})", status.as_u16())
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get(&mut self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Makes or does something.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Reads a document of any length into `out`.
    ///
    /// # Errors
    /// As [`Client::call`], or `out` takes no more.
    pub async fn download(&mut self, path: &str, out: &mut (impl std::io::Write + Send)) -> Result<()> {
        let response = self.open(Method::GET, path, None, None).await?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let problem: Value =
                serde_json::from_slice(&body.collect().await?.to_bytes()).unwrap_or_default();
            let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("no detail");
            bail!("{detail} ({})", status.as_u16())
        }
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                out.write_all(data)?;
            }
        }
        Ok(())
    }

    /// Opens the live events.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn events(mut self) -> Result<Events> {
        let response = self.open(Method::GET, "/events", None, None).await?;
        if !response.status().is_success() {
            bail!("the live events are refused ({})", response.status().as_u16());
        }
        Ok(Events { body: response.into_body(), buffer: Vec::new(), _sender: self.sender })
    }

    async fn open(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<hyper::Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", &self.host)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.body(Full::new(Bytes::from(bytes)))?).await?)
    }
}

/// Live events.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    buffer: Vec<u8>,
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Events {
    /// The next event: its name and data. `None`: the stream ended.
    ///
    /// # Errors
    /// The connection failed, or an event is not JSON.
    pub async fn next(&mut self) -> Result<Option<(String, Value)>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block))? {
                    return Ok(Some(event));
                }
                continue;
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Some(data) = frame?.data_ref() {
                self.buffer.extend_from_slice(data);
            }
        }
    }
}

fn parse(block: &str) -> Result<Option<(String, Value)>> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (Some(name), Some(data)) = (field("event:"), field("data:")) else { return Ok(None) };
    // That the stream lives is nothing that happened.
    let event = (name != "alive").then(|| serde_json::from_str(data)).transpose()?;
    Ok(event.map(|data| (name.to_owned(), data)))
}
