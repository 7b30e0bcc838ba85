//! A Slack export: a zip with `users.json`, `channels.json`, and a folder per channel with a file per day.
//!
//! Duty: reading it within bounds, and counting what is left out and why. Never: a path from the archive on disk, memory
//! without a bound.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read as _,
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use zip::ZipArchive;

use crate::limits;

/// Files in an archive.
const FILES: usize = 200_000;
/// One file, unpacked, in bytes.
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// All files, unpacked, in bytes.
const ALL_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// What an export holds, as far as it is taken over.
#[derive(Debug, Default)]
pub(crate) struct Export {
    people: BTreeMap<String, Author>,
    /// Channels with their messages, oldest first.
    pub(crate) channels: Vec<Channel>,
    /// What is not taken over: reason to count.
    pub(crate) left_out: BTreeMap<&'static str, u64>,
}

/// Somebody who wrote.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    /// Slack's id.
    pub(crate) id: String,
    /// What stands before the @ of the address.
    pub(crate) local: String,
    /// The display name.
    pub(crate) name: String,
}

/// A channel.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Slack's id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its messages, oldest first.
    pub(crate) messages: Vec<Message>,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Slack's time stamp: unique in its channel.
    pub(crate) ts: String,
    /// Slack's id of the author.
    pub(crate) author: String,
    /// The text, without Slack's markup of names and entities.
    pub(crate) text: String,
    /// The time stamp of the message that began the thread.
    pub(crate) thread: Option<String>,
    /// (emoji, who).
    pub(crate) reactions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct SlackUser {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    profile: SlackProfile,
}

#[derive(Default, Deserialize)]
struct SlackProfile {
    #[serde(default)]
    real_name: String,
}

#[derive(Deserialize)]
struct SlackChannel {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct SlackMessage {
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    user: Option<String>,
    ts: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    thread_ts: Option<String>,
    #[serde(default)]
    reactions: Vec<SlackReaction>,
    #[serde(default)]
    files: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct SlackReaction {
    name: String,
    #[serde(default)]
    users: Vec<String>,
}

/// Reads an export.
///
/// # Errors
/// What is wrong with the file, and where in it.
pub(crate) fn read(path: &Path) -> Result<Export> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut zip = ZipArchive::new(file).with_context(|| format!("{} is no zip archive", path.display()))?;
    ensure!(zip.len() <= FILES, "the archive has {} files, at most {FILES} are read", zip.len());
    let mut room = ALL_BYTES;
    let users: Vec<SlackUser> = json(&mut zip, "users.json", &mut room)?;
    let channels: Vec<SlackChannel> = json(&mut zip, "channels.json", &mut room)?;
    let mut export = Export { people: people(users), ..Export::default() };
    let mut days: Vec<String> =
        zip.file_names().filter(|name| name.ends_with(".json")).map(str::to_owned).collect();
    days.sort();
    for SlackChannel { id, name } in channels {
        let mut channel = Channel { id, name, messages: Vec::new() };
        let folder = format!("{}/", channel.name);
        for day in days.iter().filter(|day| day.starts_with(&folder)) {
            for message in json::<Vec<SlackMessage>>(&mut zip, day, &mut room)? {
                export.take(&mut channel, message);
            }
        }
        channel.messages.sort_by(|a, b| a.ts.cmp(&b.ts));
        export.channels.push(channel);
    }
    Ok(export)
}

fn json<T: DeserializeOwned>(zip: &mut ZipArchive<File>, name: &str, room: &mut u64) -> Result<T> {
    let missing = || format!("{name} is missing: is this a Slack export?");
    let entry = zip.by_name(name).with_context(missing)?;
    let mut bytes = Vec::new();
    entry.take(FILE_BYTES.min(*room) + 1).read_to_end(&mut bytes).with_context(|| name.to_owned())?;
    let length = u64::try_from(bytes.len())?;
    if length > FILE_BYTES || length > *room {
        bail!("{name} is too large: files up to {FILE_BYTES} bytes are read, {ALL_BYTES} together");
    }
    *room -= length;
    serde_json::from_slice(&bytes).with_context(|| format!("{name} is not what a Slack export has there"))
}

/// Local parts are made unique by Slack's id.
fn people(users: Vec<SlackUser>) -> BTreeMap<String, Author> {
    let mut taken = BTreeSet::new();
    let mut people = BTreeMap::new();
    for user in users {
        let wanted = local(&user.name);
        let free = !wanted.is_empty() && taken.insert(wanted.clone());
        let local = if free { wanted } else { local(&user.id) };
        taken.insert(local.clone());
        let shown = [user.profile.real_name, user.name, user.id.clone()].into_iter().map(|name| clean(&name));
        let name = shown.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        people.insert(user.id.clone(), Author { id: user.id, local, name });
    }
    people
}

fn local(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '+');
    name.to_lowercase().chars().map(|c| if plain(c) { c } else { '-' }).take(64).collect()
}

fn clean(name: &str) -> String {
    name.trim().chars().filter(|c| !c.is_control()).take(limits::NAME_BYTES / 4).collect()
}

impl Export {
    /// Everybody who wrote something that is taken over.
    pub(crate) fn authors(&self) -> Vec<&Author> {
        let wrote: BTreeSet<&String> = self
            .channels
            .iter()
            .flat_map(|channel| &channel.messages)
            .map(|message| &message.author)
            .collect();
        wrote.into_iter().filter_map(|id| self.people.get(id)).collect()
    }

    /// Messages of all channels.
    pub(crate) fn messages(&self) -> usize {
        self.channels.iter().map(|channel| channel.messages.len()).sum()
    }

    fn take(&mut self, channel: &mut Channel, message: SlackMessage) {
        let SlackMessage { subtype, user, ts, text, thread_ts, reactions, files } = message;
        if !files.is_empty() {
            *self.left_out.entry("files (comity keeps none yet)").or_default() += 1;
        }
        let author = user.filter(|user| self.people.contains_key(user));
        let text = self.plain(&text);
        let reason = match (&subtype, &author) {
            (Some(kind), _) if kind != "thread_broadcast" && kind != "me_message" => {
                Some("notices of the system and of bots")
            }
            (_, None) => Some("messages of nobody who is in users.json"),
            _ if text.trim().is_empty() => Some("messages without text"),
            _ if text.len() > limits::TEXT_BYTES => Some("messages longer than 16 KiB"),
            _ => None,
        };
        match (reason, author) {
            (None, Some(author)) => {
                let reactions = reactions.into_iter().flat_map(|reaction| {
                    let SlackReaction { name, users } = reaction;
                    users.into_iter().map(move |user| (format!(":{name}:"), user))
                });
                let reactions =
                    reactions.filter(|(emoji, _)| emoji.len() <= limits::REACTION_BYTES).collect();
                channel.messages.push(Message { ts, author, text, thread: thread_ts, reactions });
            }
            (reason, _) => *self.left_out.entry(reason.unwrap_or_default()).or_default() += 1,
        }
    }

    /// Names for ids, characters for entities.
    fn plain(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("<@") {
            out.push_str(before);
            let Some((id, tail)) = after.split_once('>') else {
                out.push_str("<@");
                rest = after;
                continue;
            };
            let id = id.split('|').next().unwrap_or(id);
            let name = self.people.get(id).map_or(id, |author| author.name.as_str());
            out.push('@');
            out.push_str(name);
            rest = tail;
        }
        out.push_str(rest);
        out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    const USERS: &str =
        r#"[{"id":"U1","name":"Anna B","profile":{"real_name":"Anna"}},{"id":"U2","name":"Anna B"}]"#;
    const CHANNELS: &str = r#"[{"id":"C1","name":"general"}]"#;

    fn export(files: &[(&str, &str)]) -> Result<Export> {
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut zip = ZipWriter::new(path.reopen().unwrap());
        for (name, text) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        read(path.path())
    }

    #[test]
    fn messages_come_in_order_with_plain_text() {
        let day = r#"[
            {"user":"U2","ts":"2.0","text":"&lt;b&gt; <@U1> and <@U9|x>","thread_ts":"1.0"},
            {"user":"U1","ts":"1.0","text":"first","thread_ts":"1.0","reactions":[{"name":"+1","users":["U2"]}]},
            {"user":"U1","ts":"3.0","text":"joined","subtype":"channel_join"},
            {"ts":"4.0","text":"who?"}, {"user":"U1","ts":"5.0","text":" ", "files":[{}]}]"#;
        let files = [("users.json", USERS), ("channels.json", CHANNELS), ("general/2020-01-01.json", day)];
        let export = export(&files).unwrap();
        let texts: Vec<&str> =
            export.channels[0].messages.iter().map(|message| message.text.as_str()).collect();
        assert_eq!(texts, ["first", "<b> @Anna and @U9"]);
        assert_eq!(export.channels[0].messages[0].reactions, [(":+1:".to_owned(), "U2".to_owned())]);
        assert_eq!(export.left_out.values().sum::<u64>(), 4, "{:?}", export.left_out);
        let locals: Vec<&str> = export.authors().iter().map(|author| author.local.as_str()).collect();
        assert_eq!(locals, ["anna-b", "u2"]);
    }

    #[test]
    fn what_is_no_export_is_named() {
        let text = tempfile::NamedTempFile::new().unwrap();
        assert!(format!("{:#}", read(text.path()).unwrap_err()).contains("is no zip archive"));
        for (files, expected) in [
            (&[("channels.json", CHANNELS)][..], "users.json is missing"),
            (&[("users.json", USERS), ("channels.json", "{}")], "channels.json is not what"),
            (
                &[("users.json", USERS), ("channels.json", CHANNELS), ("general/1.json", "[1]")],
                "general/1.json is not",
            ),
        ] {
            let error = format!("{:#}", export(files).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
