//! A mail server on loopback that keeps what it gets: the demo's mailbox of everybody.
//!
//! Duty: enough SMTP for one honest sender, bounded; a letter's text and its first link. Never: passing mail on.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::cli::person::PATIENCE;

/// Letters that are kept; the oldest go.
const LETTERS: usize = 256;
/// Largest letter, and longest line, in bytes.
const BYTES: u64 = 256 * 1024;
/// Senders at a time.
const SENDERS: usize = 8;
/// Recipients of one letter.
const RECIPIENTS: usize = 16;

/// A letter as it came.
#[derive(Clone, Debug)]
pub(crate) struct Caught {
    /// The recipients, without brackets.
    pub(crate) to: Vec<String>,
    /// Headers and body.
    pub(crate) raw: String,
}

/// All letters so far, as (how many came, the newest ones).
type Letters = (usize, Vec<Arc<Caught>>);

/// The server; it ends when this goes.
#[derive(Debug)]
pub(crate) struct Catcher {
    address: SocketAddr,
    letters: watch::Receiver<Letters>,
    _task: JoinSet<()>,
}

impl Catcher {
    /// Listens on a free port of loopback.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sender, letters) = watch::channel((0, Vec::new()));
        let mut task = JoinSet::new();
        task.spawn(listen(listener, sender.into()));
        Ok(Self { address, letters, _task: task })
    }

    /// The section of a node's configuration that sends its mail here.
    pub(crate) fn config(&self, from: &str) -> String {
        format!("\n[mail]\nserver = \"{}\"\ntls = \"none\"\nfrom = \"{from}\"\n", self.address)
    }

    /// How many letters came so far: to wait for one after a certain act.
    pub(crate) fn count(&self) -> usize {
        self.letters.borrow().0
    }

    /// The letter that comes, or came, after so many, however long that takes.
    pub(crate) async fn any(&self, after: usize) -> Result<Arc<Caught>> {
        let mut letters = self.letters.clone();
        let came = letters.wait_for(|(count, _)| *count > after).await?;
        let (count, newest) = &*came;
        newest.get(after.saturating_sub(count - newest.len())).cloned().context("the letter is gone")
    }

    /// The first letter to an address that came after so many.
    pub(crate) async fn next(&self, to: &str, after: usize) -> Result<Arc<Caught>> {
        let mut letters = self.letters.clone();
        let found = |(count, newest): &Letters| {
            let first = count - newest.len();
            let fresh = newest.iter().skip(after.saturating_sub(first));
            fresh.clone().find(|letter| letter.is_to(to)).cloned()
        };
        let came = letters.wait_for(|letters| found(letters).is_some());
        let came = tokio::time::timeout(PATIENCE, came).await;
        let came = came.with_context(|| format!("no letter to {to}"))??;
        found(&came).context("the letter is gone")
    }
}

impl Caught {
    fn is_to(&self, address: &str) -> bool {
        self.to.iter().any(|to| to.eq_ignore_ascii_case(address))
    }

    /// What it is about.
    pub(crate) fn subject(&self) -> Option<String> {
        header(&self.raw, "subject")
    }

    /// The part that is plain text.
    pub(crate) fn text(&self) -> Result<String> {
        part(&self.raw, 0).context("the letter has no text that can be read")
    }

    /// The first link in the text.
    pub(crate) fn link(&self) -> Result<String> {
        let text = self.text()?;
        let links = text.split_whitespace();
        let mut links = links.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
        links.next().map(str::to_owned).with_context(|| format!("no link in: {text}"))
    }
}

async fn listen(listener: TcpListener, letters: Arc<watch::Sender<Letters>>) {
    let mut senders = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while senders.try_join_next().is_some() {}
        if senders.len() >= SENDERS {
            senders.join_next().await;
        }
        let letters = letters.clone();
        senders.spawn(async move {
            let served = tokio::time::timeout(PATIENCE, serve(socket, &letters)).await;
            if let Ok(Err(error)) = served {
                tracing::debug!(%error, "a sender of mail left early");
            }
        });
    }
}

async fn serve(socket: TcpStream, letters: &watch::Sender<Letters>) -> Result<()> {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read);
    write.write_all(b"220 catcher.example ready\r\n").await?;
    let mut to: Vec<String> = Vec::new();
    loop {
        let Some(line) = line(&mut lines).await? else { return Ok(()) };
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.trim() {
            "EHLO" => "250-catcher.example\r\n250-8BITMIME\r\n250 SMTPUTF8",
            "RCPT" if to.len() >= RECIPIENTS => "452 too many recipients",
            "RCPT" => {
                to.extend(
                    line.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0.to_owned())),
                );
                "250 ok"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let (to, raw) = (std::mem::take(&mut to), data(&mut lines).await?);
                keep(letters, Caught { to, raw });
                "250 kept"
            }
            "MAIL" | "RSET" | "HELO" | "NOOP" => {
                to.clear();
                "250 ok"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "502 not here",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn keep(letters: &watch::Sender<Letters>, caught: Caught) {
    letters.send_modify(|(count, newest)| {
        *count += 1;
        newest.push(caught.into());
        let over = newest.len().saturating_sub(LETTERS);
        newest.drain(..over);
    });
}

/// A line without its end; `None`: the sender has left.
async fn line(lines: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = lines.take(BYTES).read_until(b'\n', &mut bytes).await?;
    if read == 0 {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        bail!("a line that is too long or has no end");
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The letter up to the single dot, without the dots that were put before others (RFC 5321, 4.5.2).
async fn data(lines: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Result<String> {
    let mut raw = String::new();
    loop {
        let line = line(lines).await?.context("the sender left within a letter")?;
        if line == "." {
            return Ok(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
        raw.push_str("\r\n");
        if u64::try_from(raw.len()).unwrap_or(u64::MAX) > BYTES {
            bail!("a letter that is too large");
        }
    }
}

fn header(raw: &str, name: &str) -> Option<String> {
    let head = raw.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned())
}

/// The plain text of a part, or of the first part within it that has one.
fn part(raw: &str, depth: usize) -> Option<String> {
    let kind = header(raw, "content-type").unwrap_or_else(|| "text/plain".into());
    let (_, body) = raw.split_once("\r\n\r\n")?;
    if let Some((_, boundary)) = kind.split_once("boundary=").filter(|_| depth < 4) {
        let boundary = boundary.split(';').next().unwrap_or_default().trim_matches('"');
        let mark = format!("--{boundary}");
        let mut parts = body.split(&mark).skip(1).map(|part| part.trim_start_matches("\r\n"));
        return parts.find_map(|inner| part(inner, depth + 1));
    }
    if !kind.starts_with("text/plain") {
        return None;
    }
    let bytes = match header(raw, "content-transfer-encoding").unwrap_or_default().to_lowercase().as_str() {
        "quoted-printable" => unquoted(body),
        "base64" => {
            data_encoding::BASE64.decode(body.split_whitespace().collect::<String>().as_bytes()).ok()?
        }
        _ => body.as_bytes().to_vec(),
    };
    String::from_utf8(bytes).ok()
}

/// Quoted-printable (RFC 2045, 6.7).
fn unquoted(body: &str) -> Vec<u8> {
    let body = body.replace("=\r\n", "");
    let mut parts = body.split('=');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (code, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                out.push(byte);
                out.extend(rest.as_bytes());
            }
            _ => out.extend([b"=", part.as_bytes()].concat()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor, message::MultiPart};

    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_read_again() {
        let catcher = Catcher::start().await.unwrap();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
            .port(catcher.address.port())
            .build();
        for text in ["short\n.dotted\n", "für dich, 東京\n", &format!("{} = long\n", "word ".repeat(100))]
        {
            let text = format!("{text}\nhttps://acme.example/join/abc=.9f\n");
            let message = Message::builder()
                .from("comity@acme.example".parse().unwrap())
                .to("Carol@initech.example".parse().unwrap())
                .subject("Zürich")
                .multipart(MultiPart::alternative_plain_html(text.clone(), format!("<p>{text}</p>")))
                .unwrap();
            let after = catcher.count();
            let sent = transport.send(message).await.unwrap();
            assert_eq!(sent.first_line(), Some("kept"));
            let letter = catcher.next("carol@initech.example", after).await.unwrap();
            assert_eq!(letter.text().unwrap().replace("\r\n", "\n").trim_end(), text.trim_end());
            assert_eq!(letter.link().unwrap(), "https://acme.example/join/abc=.9f");
            assert!(letter.subject().is_some());
        }
        assert!(catcher.config("x@acme.example").contains("tls = \"none\""));
    }

    #[test]
    fn dots_and_quotes_are_taken_off() {
        assert_eq!(unquoted("a=3Db=\r\nc=C3=BC=zz="), "a=bcü=zz=".as_bytes());
        let raw = "Subject: x\r\n y\r\n\r\nbody\r\n";
        assert_eq!(
            (header(raw, "subject").as_deref(), part(raw, 0).as_deref()),
            (Some("x y"), Some("body\r\n"))
        );
        assert_eq!(part("Content-Type: text/html\r\n\r\n<p>", 0), None);
    }
}
