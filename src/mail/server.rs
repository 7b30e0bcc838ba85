//! The SMTP server: the connection, and its refusals in words.
//!
//! Duty: each failure says what to do, and whether another try can help. Never: a password in any word.

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls as Protection, TlsParameters},
        extension::ClientId,
    },
};

use super::{MailError, Settings, Tls};
use crate::limits;

/// Replies about who we are, not about the letter: an admin mends that, and the letter is tried again.
const ABOUT_US: [&str; 4] = ["530", "534", "535", "538"];

/// Why a letter was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened and what to do.
    pub(super) words: String,
    /// Whether the server will never take it.
    pub(super) permanent: bool,
}

/// The way to one server. Every letter has a connection of its own: they are few.
pub(super) struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    name: String,
}

impl Server {
    pub(super) fn new(settings: &Settings) -> Result<Self, MailError> {
        let Settings { host, port, tls, login, .. } = settings;
        let protection = match tls {
            Tls::Required => Protection::Wrapper(parameters(settings)?),
            Tls::StartTls => Protection::Required(parameters(settings)?),
            Tls::None => Protection::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
            .port(*port)
            .tls(protection)
            .hello_name(ClientId::Domain(settings.from.domain().to_owned()))
            .timeout(Some(std::time::Duration::from_secs(limits::MAIL_SECONDS)));
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let name = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok(Self { transport: builder.build(), name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Hands a letter over. Returns the server's answer.
    pub(super) async fn send(&self, message: Message) -> Result<String, Failure> {
        match self.transport.send(message).await {
            Ok(answer) => {
                let lines: Vec<&str> = answer.message().collect();
                Ok(clean(&format!("{} {}", answer.code(), lines.join(" "))))
            }
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// It did not answer in time.
    pub(super) fn silent(&self) -> Failure {
        let words = format!(
            "the mail server {} does not answer: check [mail] server and tls (465 wants tls = \"required\", 587 \
             \"starttls\")",
            self.name
        );
        Failure { words, permanent: false }
    }

    fn failure(&self, error: &Error) -> Failure {
        if error.is_timeout() {
            return self.silent();
        }
        let (said, name) = (whole(error), &self.name);
        let about_us = error.status().is_some_and(|code| ABOUT_US.contains(&code.to_string().as_str()));
        let permanent = error.is_permanent() && !about_us;
        let words = if about_us {
            format!("the mail server {name} refuses the login: check [mail] user and password ({said})")
        } else if permanent {
            format!("the mail server {name} refuses the letter for good: check the address ({said})")
        } else if error.is_transient() {
            format!("the mail server {name} does not take the letter now; it is tried again ({said})")
        } else if error.is_tls() || is_about_tls(error) {
            format!("no TLS with the mail server {name}: check [mail] tls and ca_file ({said})")
        } else if error.is_response() || error.is_client() {
            format!(
                "the mail server {name} does not offer what is needed: check [mail] server and tls ({said})"
            )
        } else {
            format!(
                "the mail server {name} cannot be reached: check [mail] server, and whether it runs ({said})"
            )
        };
        Failure { words: clean(&words), permanent }
    }
}

fn parameters(settings: &Settings) -> Result<TlsParameters, MailError> {
    let failed = |error: Error| MailError::Certificates(whole(&error));
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.roots {
        let certificate = Certificate::from_pem(pem).map_err(failed)?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(failed)
}

/// Whether the handshake failed: the library calls that a failed connection.
fn is_about_tls(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if cause.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// An error with all that led to it.
fn whole(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words.push_str(": ");
            words.push_str(&cause_words);
        }
        source = cause.source();
    }
    clean(&words)
}

/// Words of a stranger, for a terminal and a log.
fn clean(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(limits::LETTER_ERROR_CHARS).collect::<String>().trim().to_owned()
}
