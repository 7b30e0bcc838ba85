//! Workspaces as processes of this binary on loopback.
//!
//! Duty: making, starting, stopping, killing them; people with their tokens. Never: anything that the API or the command
//! line cannot do.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::cli::{
    client::Client,
    person::{PATIENCE, Person, text},
};

/// A workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) http: SocketAddr,
    child: Option<Child>,
}

/// An address on loopback that is free now.
pub(crate) fn free_udp() -> Result<SocketAddr> {
    free(|at| std::net::UdpSocket::bind(at).is_ok())
}

fn free_tcp() -> Result<SocketAddr> {
    free(|at| std::net::TcpListener::bind(at).is_ok())
}

/// Below the ports that systems give out by themselves: nobody takes it before it is used.
fn free(is: impl Fn(SocketAddr) -> bool) -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() % 8_000).unwrap_or(0);
    let next = || 20_000 + base.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
    let mut tried = (0..12_000).map(|_| SocketAddr::from(([127, 0, 0, 1], next())));
    tried.find(|at| is(*at)).context("no port of 20000 to 31999 is free on 127.0.0.1")
}

pub(super) fn binary() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("the own program")?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COMITY_")) {
        command.env_remove(name);
    }
    command.kill_on_drop(true);
    Ok(command)
}

impl Workspace {
    /// Makes a workspace that others reach at `endpoint`, and that listens at `link`.
    pub(crate) async fn make(
        root: &Path,
        name: &str,
        admin: &str,
        link: SocketAddr,
        endpoint: SocketAddr,
    ) -> Result<Self> {
        let (dir, http) = (root.join(name), free_tcp()?);
        let mut title = name.to_owned();
        title.get_mut(..1).iter_mut().for_each(|first| first.make_ascii_uppercase());
        let made = binary()?
            .arg("--dir")
            .arg(&dir)
            .args([
                "--json",
                "init",
                "--name",
                &title,
                "--domain",
                &format!("{name}.example"),
                "--admin",
                admin,
            ])
            .args([
                "--endpoint",
                &endpoint.to_string(),
                "--http",
                &http.to_string(),
                "--link",
                &link.to_string(),
            ])
            .output()
            .await?;
        if !made.status.success() {
            bail!("comity init: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(Self { name: name.to_owned(), dir, http, child: None })
    }

    /// Adds to the configuration, before a start.
    pub(crate) fn configure(&self, section: &str) -> Result<()> {
        let path = crate::config::path(&self.dir);
        let text = std::fs::read_to_string(&path)? + section;
        Ok(std::fs::write(path, text)?)
    }

    /// Starts the node, and returns when it answers.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log"))?;
        let mut command = binary()?;
        command.arg("--dir").arg(&self.dir).args(["--json", "serve"]).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn()?;
        let out = child.stdout.take().context("the node's output")?;
        let mut lines = BufReader::new(out).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
        if first.is_none() {
            bail!("{} does not start: see {}", self.name, self.dir.join("log").display());
        }
        self.child = Some(child);
        Ok(())
    }

    /// Asks the node to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.end(rustix::process::Signal::INT).await
    }

    /// Kills the node as a power cut would.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.end(rustix::process::Signal::KILL).await
    }

    async fn end(&mut self, signal: rustix::process::Signal) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(pid) = self.pid_of(&child) {
            rustix::process::kill_process(pid, signal)?;
            rustix::process::kill_process(pid, rustix::process::Signal::CONT)?;
        }
        tokio::time::timeout(PATIENCE, child.wait()).await??;
        Ok(())
    }

    /// Stops the process where it stands, and returns when it has: to everybody else it is silent.
    pub(crate) async fn freeze(&mut self) -> Result<()> {
        let pid = self.child.as_ref().and_then(|child| self.pid_of(child)).context("it does not run")?;
        rustix::process::kill_process(pid, rustix::process::Signal::STOP)?;
        let status = format!("/proc/{}/stat", pid.as_raw_nonzero());
        let frozen = async {
            while !std::fs::read_to_string(&status)?.contains(") T ") {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, frozen).await?
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        let pid = self.child.as_ref().and_then(|child| self.pid_of(child)).context("it does not run")?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::CONT)?)
    }

    fn pid_of(&self, child: &Child) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(i32::try_from(child.id()?).ok()?)
    }

    /// The process id while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// The first admin.
    pub(crate) async fn admin(&self) -> Result<Person> {
        let token = std::fs::read_to_string(self.dir.join("admin.token"))?.trim().to_owned();
        let me = Client::connect(&self.http.to_string(), &token).await?.get("/me").await?;
        Ok(Person { id: text(&me, "/id")?, address: text(&me, "/address")?, token, http: self.http })
    }

    /// Adds somebody.
    pub(crate) async fn add(&self, local: &str, name: &str) -> Result<Person> {
        let mut admin = self.admin().await?.client().await?;
        let user = admin.post("/users", &json!({ "local": local, "name": name })).await?;
        let id = text(&user, "/id")?;
        let token = admin.post(&format!("/users/{id}/tokens"), &json!({})).await?;
        Ok(Person { id, address: text(&user, "/address")?, token: text(&token, "/token")?, http: self.http })
    }
}
