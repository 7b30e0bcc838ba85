//! `comity audit`: the log of a running node, its export, and the check of one on any machine (spec 13).

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{client::Client, online, text};
use crate::{
    ids::{ScopeId, UserId, WorkspaceId},
    limits,
    protocol::audit::{self, Finding, Report},
    time::Millis,
    uri::escape,
};

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What was done on this node, newest first; for admins.
    List(Filter),
    /// Write a part of it to a file that anybody can check.
    Export {
        /// The first record.
        #[arg(long)]
        first: Option<u64>,
        /// The last record.
        #[arg(long)]
        last: Option<u64>,
        /// Where to; else to the standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Check an export, with nothing but the file; names every record that is not as it was sealed.
    Verify {
        /// The file.
        file: PathBuf,
    },
}

/// Which lines.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// How many lines.
    #[arg(long, default_value_t = 50)]
    limit: u64,
    /// Lines before this one.
    #[arg(long)]
    before: Option<u64>,
    /// How the act's name begins: member., peer.ended, ...
    #[arg(long)]
    act: Option<String>,
    /// About this peer.
    #[arg(long)]
    peer: Option<WorkspaceId>,
    /// About this group or thread.
    #[arg(long)]
    scope: Option<ScopeId>,
    /// By this user.
    #[arg(long)]
    actor: Option<UserId>,
    /// From this moment on: 2026-11-24, 2026-11-24T11:04:05Z or milliseconds since 1970.
    #[arg(long)]
    from: Option<String>,
    /// Before this moment.
    #[arg(long)]
    to: Option<String>,
}

impl Filter {
    fn path(&self) -> String {
        let parts = [
            ("before", self.before.map(|before| before.to_string())),
            ("act", self.act.clone()),
            ("peer", self.peer.map(|peer| peer.to_string())),
            ("scope", self.scope.map(|scope| scope.to_string())),
            ("actor", self.actor.map(|actor| actor.to_string())),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
        ];
        let given =
            parts.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", escape(&value?))));
        format!("/audit?limit={}{}", self.limit, given.collect::<String>())
    }
}

/// What needs a running node.
pub(super) async fn run(client: &mut Client, command: Command, as_json: bool) -> Result<()> {
    match command {
        Command::List(filter) => {
            let mut answer = client.get(&filter.path()).await?;
            if !as_json {
                name_times(&mut answer);
            }
            online::print(&answer, as_json);
        }
        Command::Export { first, last, out } => export(client, first, last, out).await?,
        Command::Verify { file } => verify(&file, as_json)?,
    }
    Ok(())
}

/// Times as people read them.
fn name_times(answer: &mut Value) {
    let lines = answer.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten();
    for time in lines.filter_map(|line| line.pointer_mut("/line/time")) {
        if let Some(ms) = time.as_u64() {
            *time = Millis(ms).to_string().into();
        }
    }
}

async fn export(
    client: &mut Client,
    first: Option<u64>,
    last: Option<u64>,
    out: Option<PathBuf>,
) -> Result<()> {
    let part = |name: &str, number: Option<u64>| number.map(|number| format!("{name}={number}"));
    let query: Vec<String> = part("first", first).into_iter().chain(part("last", last)).collect();
    let path = format!("/audit/export?{}", query.join("&"));
    let Some(out) = out else {
        return client.download(&path, &mut io::stdout()).await;
    };
    let mut file = fs::File::create(&out).with_context(|| out.display().to_string())?;
    client.download(&path, &mut file).await?;
    file.flush().and_then(|()| file.sync_all()).with_context(|| out.display().to_string())
}

/// Offline.
pub(super) fn verify(file: &Path, as_json: bool) -> Result<()> {
    let at = || file.display().to_string();
    let length = fs::metadata(file).with_context(at)?.len();
    if length > limits::AUDIT_FILE_BYTES {
        let most = limits::AUDIT_FILE_BYTES;
        bail!(
            "{}: {length} bytes, {most} are checked at a time: export in parts, with --first and --last",
            at()
        );
    }
    let bytes = fs::read(file).with_context(at)?;
    let report = audit::verify(&String::from_utf8_lossy(&bytes)).with_context(at)?;
    if as_json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", shown(&report));
    }
    match report.findings.len() {
        0 => Ok(()),
        1 => bail!("{}: 1 finding", at()),
        findings => bail!("{}: {findings} findings", at()),
    }
}

fn shown(report: &Report) -> String {
    let Report { workspace, name, first, last, records, objects, sealed, findings } = report;
    let name = name.as_ref().map(|(name, domain)| format!("{name} ({domain}), ")).unwrap_or_default();
    let mut out = text::clean(&format!("{name}{workspace}")) + "\n";
    out += &match sealed {
        Some(time) => format!("records {first} to {last}, sealed at {time}\n"),
        None => format!("records {first} to {last}, not sealed\n"),
    };
    out += &format!("{records} records and {objects} signed objects checked\n");
    for Finding { record, until, what } in findings {
        let which = match (record, until) {
            (Some(record), Some(until)) => format!("records {record} to {until}: "),
            (Some(record), None) => format!("record {record}: "),
            (None, _) => String::new(),
        };
        out += &(text::clean(&format!("{which}{what}")) + "\n");
    }
    out
}
