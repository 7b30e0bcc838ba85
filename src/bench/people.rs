//! Lists of people and threads at the size of a large company, and at a tenth of it: what a first page takes over HTTP.
//!
//! Duty: a node of that size, made through the library; every answer timed from outside. Never: a page that is not whole.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::{
    Sizes,
    measure::{millis, now, percentiles, rounded},
};
use crate::{
    api,
    cli::client::Client,
    ids::{GroupId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    node::{Handle, Node, identity},
    protocol::{
        Change, Command, Reply,
        membership::empty_settings,
        row::{Home, MemberRow, Role, Row},
    },
    store::Store,
    time::Millis,
    wire::objects::{EntryKind, Floor, Grade, Manifest, Member, Profile, Settings},
};

/// How many there are of everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Members of the workspace.
    pub(super) members: usize,
    /// Groups of the workspace; the first one has half of the members.
    pub(super) groups: usize,
    /// External members of these groups.
    pub(super) externals: usize,
    /// Their homes.
    pub(super) workspaces: usize,
    /// Threads, over all groups.
    pub(super) threads: usize,
    /// Times that each page is asked for.
    pub(super) asked: usize,
}

impl Scale {
    fn tenth(self) -> Self {
        let Self { members, groups, externals, workspaces, threads, asked } = self;
        let (members, groups, externals) = (members / 10, groups / 10, externals / 10);
        Self { members, groups, externals, workspaces: workspaces / 10, threads: threads / 10, asked }
    }
}

/// Commands that are on the way at a time: as many as a commit covers.
const IN_FLIGHT: usize = 512;
/// The viewer is in one of so many groups, and so reads one of so many threads.
const VIEWED: usize = 20;
/// Groups of a member.
const PLACES: usize = 5;
/// Groups of an external.
const ABROAD: usize = 10;
const FIRST: [&str; 16] = [
    "Anna", "Bela", "Chloé", "Dmitri", "Elif", "Farid", "Grete", "Hùng", "Ines", "Jörg", "Katya", "Luís",
    "Mei", "Nils", "Oğuz", "Pia",
];
const LAST: [&str; 16] = [
    "Abbott",
    "Björk",
    "Çelik",
    "Dąbrowski",
    "Eriksen",
    "Fischer",
    "García",
    "Hoffmann",
    "Ivanov",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Nguyen",
    "O'Brien",
    "Petrov",
];
const WORDS: [&str; 24] = [
    "budget", "launch", "review", "contract", "design", "meeting", "please", "tomorrow", "client", "draft",
    "version", "question", "answer", "estimate", "invoice", "schedule", "roadmap", "feedback", "deadline",
    "the", "and", "with", "for", "about",
];

fn at<'a>(list: &[&'a str], n: usize) -> &'a str {
    list.get(n % list.len()).copied().unwrap_or_default()
}

fn name(n: usize) -> String {
    format!("{} {} {n}", at(&FIRST, n), at(&LAST, n / FIRST.len()))
}

/// A text of twelve words, every one of which some other texts have.
fn text(n: usize) -> String {
    let words = (0..12).map(|at| {
        let mixed = (n * 31 + at * 17 + n / 7 * at) % 601;
        if at % 3 == 0 {
            format!("{}{mixed}", self::at(&LAST, mixed).to_lowercase())
        } else {
            self::at(&WORDS, mixed).into()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Both sizes, with the ratio of their medians.
pub(super) async fn run(sizes: Sizes) -> Result<Value> {
    let full = measure(sizes.people).await?;
    let tenth = measure(sizes.people.tenth()).await?;
    let p50 = |of: &Value, page: &str| of.pointer(&format!("/pages/{page}/p50")).and_then(Value::as_f64);
    let pages = full.get("pages").and_then(Value::as_object).context("no pages")?;
    let ratios = pages.keys().filter_map(|page| {
        Some((page.clone(), json!(rounded(p50(&full, page)? / p50(&tenth, page)?.max(0.01)))))
    });
    let ratios: Map<String, Value> = ratios.collect();
    Ok(json!({ "full": full, "tenth": tenth, "full_over_tenth": ratios }))
}

async fn measure(scale: Scale) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    identity::init(dir.path(), "acme", "acme.example", vec!["127.0.0.1:1".into()])?;
    let token = identity::first_admin(dir.path(), "alice")?.context("no admin")?;
    let begin = now();
    let made = make(dir.path(), scale).await?;
    let built = begin.elapsed();
    let (index, messages) = invite_everybody(dir.path(), scale, &made)?;
    let begin = now();
    let node = Node::start(dir.path())?;
    node.boot().await?;
    let started = begin.elapsed();
    let listens = api::start(&node.handle, None, "127.0.0.1:0".parse()?).await?;
    let mut client = Client::connect(&listens.to_string(), &token).await?;
    let group = made.groups.first().context("no group")?;
    let pages = pages(&mut client, *group, scale.asked).await?;
    node.stop().await;
    let bytes = index.checked_div(messages);
    Ok(json!({
        "members": scale.members, "groups": scale.groups, "externals": scale.externals,
        "threads": scale.threads, "built_seconds": rounded(built.as_secs_f64()),
        "start_ms": rounded(millis(started)), "word_index_bytes_per_message": bytes, "pages": pages,
    }))
}

/// What was made.
struct Made {
    groups: Vec<GroupId>,
    users: Vec<UserId>,
}

/// Every command, in order, many in one commit.
async fn all(handle: &Handle, commands: impl Iterator<Item = Command>) -> Result<Vec<Reply>> {
    let asked = stream::iter(commands).map(|command| handle.ask(command)).buffered(IN_FLIGHT);
    Ok(asked.try_collect().await?)
}

async fn make(dir: &Path, scale: Scale) -> Result<Made> {
    let node = Node::start(dir)?;
    node.boot().await?;
    let handle = &node.handle;
    let alice = handle.snapshot().state.locals.get("alice").copied().context("no alice")?;
    let add = |n| Command::AddUser { local: format!("member{n}"), name: name(n), role: Role::Member };
    let mut users = Vec::new();
    for reply in all(handle, (0..scale.members).map(add)).await? {
        let Reply::User(user) = reply else { bail!("no user") };
        users.push(user);
    }
    // The first member makes all but the viewer's groups: an admin of a group is in it.
    let other = *users.first().context("no users")?;
    let create = |n: usize| {
        let name = format!("{} {} {n}", at(&WORDS, n), at(&LAST, n / 7));
        let settings = Settings { name, externals: true, open: n.is_multiple_of(2), ..empty_settings() };
        Command::CreateGroup(if n.is_multiple_of(VIEWED) { alice } else { other }, settings)
    };
    let mut groups = Vec::new();
    for reply in all(handle, (0..scale.groups).map(create)).await? {
        let Reply::Scope(ScopeId::Group(group), _) = reply else { bail!("no group") };
        groups.push(group);
    }
    all(handle, places(scale, alice, other, &groups, &users)).await?;
    let start = |n: usize| {
        let group = groups.get(n % groups.len()).copied();
        let starter = if (n % groups.len()).is_multiple_of(VIEWED) { alice } else { other };
        let settings =
            Settings { name: format!("{} {n}", at(&WORDS, n)), externals: true, ..empty_settings() };
        let groups = group.into_iter().collect();
        Command::CreateThread { actor: starter, settings, groups, addresses: Vec::new() }
    };
    let mut threads = Vec::new();
    for reply in all(handle, (0..scale.threads).map(start)).await? {
        let Reply::Scope(ScopeId::Thread(thread), _) = reply else { bail!("no thread") };
        threads.push(thread);
    }
    let starter = |n: usize| if (n % groups.len()).is_multiple_of(VIEWED) { alice } else { other };
    all(handle, threads.iter().enumerate().map(|(n, thread)| post(starter(n), *thread, n))).await?;
    node.stop().await;
    Ok(Made { groups, users })
}

fn post(author: UserId, thread: ThreadId, n: usize) -> Command {
    let bytes = u64::try_from(n).unwrap_or(u64::MAX).to_be_bytes();
    let id = SubmissionId(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default()));
    Command::Post {
        author,
        thread,
        id,
        kind: EntryKind::Message,
        target: None,
        text: text(n),
        mentions: vec![],
    }
}

/// Members of the groups: half of everybody in the first one, and each in some others.
fn places<'a>(
    scale: Scale,
    alice: UserId,
    other: UserId,
    groups: &'a [GroupId],
    users: &'a [UserId],
) -> impl Iterator<Item = Command> + 'a {
    groups.iter().enumerate().map(move |(n, group)| {
        let spread = users.iter().enumerate().filter(move |(user, _)| {
            (0..PLACES).any(|place| (user * 7 + place * (groups.len() / PLACES).max(1)) % groups.len() == n)
        });
        let mut members: Vec<UserId> = spread.map(|(_, user)| *user).collect();
        if n == 0 {
            members.extend(users.iter().take(scale.members / 2));
        }
        let actor = if n.is_multiple_of(VIEWED) { alice } else { other };
        let (scope, grade, floor) = ((*group).into(), Grade::Post, Floor::All);
        Command::AddMembers { actor, scope, users: members, grade, floor }
    })
}

/// Externals, as rows that the groups' chains would leave: their homes do not run. The index of words in bytes, and the
/// number of messages.
fn invite_everybody(dir: &Path, scale: Scale, made: &Made) -> Result<(u64, u64)> {
    let (mut store, state) = Store::open(&identity::Layout::new(dir).store())?;
    let me = state.me().and_then(|me| state.homes.get(&me)).context("no identity")?;
    let homes = (0..scale.workspaces).map(|n| {
        let name = format!("Partner {n}");
        let manifest = Manifest { name, domain: format!("partner{n}.example"), ..me.manifest.clone() };
        Change::Put(Row::Home(Home { id: home(n), manifest, ..(**me).clone() }))
    });
    let by = *made.users.first().context("no users")?;
    let places = (0..scale.externals).flat_map(|n| {
        let places = (0..ABROAD).map(move |place| (n * ABROAD + place) % made.groups.len());
        places.filter_map(|at| made.groups.get(at)).map(move |group| external(*group, by, n, scale))
    });
    let changes: Vec<Change> = homes.chain(places).collect();
    store.commit(&changes)?;
    Ok(store.reader()?.index_size()?)
}

fn external(group: GroupId, by: UserId, n: usize, scale: Scale) -> Change {
    let of = n % scale.workspaces;
    let bytes = u64::try_from(n).unwrap_or(u64::MAX).to_be_bytes();
    let user =
        UserId::new(home(of), std::array::from_fn(|at| bytes.get(at % 8).copied().unwrap_or_default()));
    let profile = Profile::new(format!("guest{n}@partner{of}.example"), name(n * 3));
    let (grade, floor, joined, time, until) = (Grade::Post, Floor::FromNow, 1, Millis(0), None);
    let member = Member { user, grade, floor, joined, by, time, until, profile };
    Change::Put(Row::Member(MemberRow { scope: group.into(), member }))
}

fn home(n: usize) -> WorkspaceId {
    let bytes = u64::try_from(n).unwrap_or(u64::MAX).to_be_bytes();
    WorkspaceId(std::array::from_fn(|at| bytes.get(at % 8).copied().unwrap_or_default() ^ 0x5a))
}

/// Name of a page, the list in its answer, and what is asked for the n-th time.
type Page<'a> = (&'a str, &'a str, &'a dyn Fn(usize) -> String);

/// Each page again and again, with another text to look for each time where there is one.
async fn pages(client: &mut Client, group: GroupId, asked: usize) -> Result<Map<String, Value>> {
    let typed = |n: usize| {
        let word = at(&LAST, n).chars().filter(char::is_ascii_alphabetic).take(2 + n % 3);
        word.collect::<String>().to_lowercase()
    };
    let kinds: [Page<'_>; 9] = [
        ("inbox", "threads", &|_| "/threads".into()),
        ("inbox_unread", "threads", &|_| "/threads?unread=true".into()),
        ("directory", "directory", &|_| "/directory".into()),
        ("directory_search", "directory", &|n| format!("/directory?q={}", typed(n))),
        ("contacts", "contacts", &|_| "/contacts".into()),
        ("contact_search", "contacts", &|n| format!("/contacts?q={}", typed(n))),
        ("member_list", "members", &|_| format!("/groups/{group}/members")),
        ("member_search", "members", &|n| format!("/groups/{group}/members?q={}", typed(n))),
        ("message_search", "messages", &|n| format!("/search?q={}%20{}", at(&WORDS, n), at(&WORDS, n + 5))),
    ];
    let mut all = Map::new();
    for (kind, list, path) in kinds {
        let (mut times, mut rows) = (Vec::new(), 0);
        client.get(&path(0)).await?;
        for n in 0..asked {
            let begin = now();
            let answer = client.get(&path(n)).await?;
            times.push(millis(begin.elapsed()));
            rows += answer.get(list).and_then(Value::as_array).with_context(|| format!("no {list}"))?.len();
        }
        let mut figures = percentiles(times);
        if let Some(figures) = figures.as_object_mut() {
            figures.insert("rows".into(), json!(rows / asked.max(1)));
        }
        all.insert(kind.into(), figures);
    }
    Ok(all)
}
