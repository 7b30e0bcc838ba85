//! Every bound of the system, in one place, with the relations between them checked at compile time.
//!
//! Duty: to name a limit once. A bound that is not here must not exist elsewhere. Never: behaviour.
//! Bounds that travel (a peer must know them) are normative, see spec 1.6.

/// Largest frame on any stream between nodes, in bytes (spec 1.6).
pub const FRAME_BYTES: usize = 16 * 1024 * 1024;
/// The same before it is known who is on the other end: a manifest chain.
pub const GREETING_BYTES: usize = 4 * 1024 * 1024;
/// Largest signed object, in bytes (spec 1.6).
pub const OBJECT_BYTES: usize = 14 * 1024 * 1024;
/// Deepest nesting of CBOR arrays and maps (spec 1.6).
pub const CBOR_DEPTH: usize = 12;
/// Largest number of CBOR items in one frame or object (spec 1.6).
pub const CBOR_ITEMS: usize = 300_000;
/// Largest text of a message, in bytes of UTF-8 (spec 1.6).
pub const TEXT_BYTES: usize = 16 * 1024;
/// Largest body (text, mentions, target) as encoded bytes (spec 1.6).
pub const BODY_BYTES: usize = 20 * 1024;
/// Mentions in one message (spec 1.6).
pub const MENTIONS: usize = 64;
/// Longest name of a group, subject of a thread, or name of a person, in bytes (spec 1.6).
pub const NAME_BYTES: usize = 200;
/// Longest title of a person, in bytes (spec 1.6).
pub const TITLE_BYTES: usize = 100;
/// Longest address, in bytes (spec 1.6).
pub const ADDRESS_BYTES: usize = 254;
/// Longest part of an address before the @, in bytes (RFC 5321).
pub const LOCAL_BYTES: usize = 64;
/// Longest reaction, in bytes of UTF-8 (spec 1.6).
pub const REACTION_BYTES: usize = 64;
/// Operations in one membership event (spec 1.6).
pub const OPS_PER_EVENT: usize = 256;
/// Direct members of one scope (spec 1.6).
pub const MEMBERS_PER_SCOPE: usize = 20_000;
/// One member in a snapshot at most: two ids, address, name, title and what counts the rest.
pub const MEMBER_BYTES: usize = 720;
/// Highest epoch, incarnation, entry and row that a peer may name: what is reckoned from them stays in range (spec 1.6).
pub const POSITION_MOST: u64 = 1 << 62;
/// Incarnations beyond the own one in which a peer may say that it holds something.
pub const INCARNATIONS_AHEAD: u64 = 1_000;
/// Group recipients of one thread (spec 1.6).
pub const GROUPS_PER_THREAD: usize = 32;
/// Online keys of one use in a manifest (spec 1.6).
pub const KEYS_PER_USE: usize = 8;
/// Endpoints in a manifest (spec 1.6).
pub const ENDPOINTS: usize = 8;
/// Revisions of one manifest chain (spec 1.6).
pub const MANIFEST_REVISIONS: usize = 512;
/// Extensions of a manifest, encoded, in bytes (spec 1.6).
pub const MANIFEST_EXTENSION_BYTES: usize = 1024;
/// A whole manifest with its signature at most.
pub const MANIFEST_BYTES: usize = 7 * 1024;
/// Workspaces that are known without being peers: they share scopes with us.
pub const OTHER_HOMES: usize = 10_000;
/// Entries of a history page (spec 1.6).
pub const PAGE_ENTRIES: usize = 256;
/// Bytes of a history page or of a content frame before the last entry that is put in (spec 1.6).
pub const PAGE_BYTES: usize = 256 * 1024;
/// Rows of one control frame (spec 1.6).
pub const FEED_ROWS_PER_FRAME: usize = 64;
/// Control rows that may be on the way to one peer without acknowledgement (spec 1.6).
pub const FEED_WINDOW: u64 = 256;
/// Rows of one peer that wait for the end of a check.
pub const DEFERRED_PER_PEER: usize = 10_000;
/// Submissions on the way to one owner without an answer (spec 1.6).
pub const SUBMISSIONS_IN_FLIGHT: usize = 256;
/// History requests that one peer serves at a time (spec 1.6).
pub const HISTORY_REQUESTS: usize = 4;
/// Content bytes that may be on the way to one peer without acknowledgement (spec 1.6).
pub const CONTENT_WINDOW_BYTES: usize = 2 * 1024 * 1024;

/// Shortest lease that a scope may ask for, in milliseconds (spec 1.6).
pub const LEASE_LEAST_MILLIS: u64 = 2_000;
/// Longest lease, in milliseconds: a week (spec 1.6).
pub const LEASE_MOST_MILLIS: u64 = 7 * 24 * 3_600_000;
/// The lease of a scope that names none, in milliseconds (spec 11.4).
pub const LEASE_STANDARD_MILLIS: u64 = 300_000;
/// What two clocks may differ over a lease: one part in so many, on each side (spec 11.3).
pub const LEASE_DRIFT_PARTS: u64 = 100;

/// A day, in milliseconds.
pub const DAY_MILLIS: u64 = 24 * 3_600_000;

/// Peers of one node.
pub const PEERS: usize = 1024;
/// Requests for a peering that wait for an admin.
pub const PEERING_REQUESTS: usize = 64;
/// Workspaces that say they are peers and are not known here: the newest are shown.
pub const CLAIMS: usize = 16;
/// Tickets open at a time.
pub const TICKETS: usize = 64;
/// Scopes that move with one group: itself, its chat and the topics that began with it.
pub const MOVED_SCOPES: usize = 1_000;
/// Offers to move a group that are open at a time, from here and to here.
pub const OPEN_MOVES: usize = 64;
/// Removed people that one row names to a new owner.
pub const ESTATE_ROWS: usize = 1_000;
/// Open invitations that one scope may have.
pub const INVITES_PER_SCOPE: usize = 10_000;
/// Received invitations that wait, per user of this node.
pub const INVITES_PER_USER: usize = 200;
/// Invitations from one peer in a day, unless its policy says otherwise.
pub const INVITES_OF_PEER_PER_DAY: u64 = 20_000;
/// Invitations of all users to one peer in an hour are so many times those that one user may send.
pub const LOOKUPS_OF_ALL: u64 = 10;
/// People and peers of whom is counted what they do over a while.
pub const METERS: usize = 100_000;
/// Peers that a policy names.
pub const PEERS_IN_POLICY: usize = 1024;
/// Open requests in one thread.
pub const REQUESTS_PER_SCOPE: usize = 200;
/// Requests of one user that are kept, answered ones included; the oldest answered go first.
pub const REQUESTS_PER_USER: usize = 100;
/// People whom one user blocks.
pub const BLOCKED: usize = 1_000;
/// Messages that wait in the outbox of one user for one owner.
pub const OUTBOX_PER_OWNER: usize = 10_000;
/// Tokens of one user.
pub const TOKENS_PER_USER: usize = 64;
/// How long somebody stays signed in, in milliseconds: 30 days.
pub const SESSION_MILLIS: u64 = 30 * DAY_MILLIS;
/// How long a link for a first password is good, in milliseconds: 7 days.
pub const ACCOUNT_LINK_MILLIS: u64 = 7 * DAY_MILLIS;
/// How long a link for a forgotten password, or a mailed code, is good, in milliseconds: an hour.
pub const RESET_LINK_MILLIS: u64 = 3_600_000;
/// How long it is known why a link no longer works, in milliseconds.
pub const LINK_KEPT_MILLIS: u64 = 30 * DAY_MILLIS;
/// Shortest password, in characters.
pub const PASSWORD_LEAST: usize = 10;
/// Longest password, in bytes: what is hashed is bounded.
pub const PASSWORD_BYTES: usize = 256;
/// Passwords that are hashed at a time; each takes 19 MiB.
pub const HASHINGS: usize = 2;
/// Claims of one user that wait for an answer.
pub const CLAIMS_PER_USER: usize = 32;
/// Pending heads (epoch not applied yet) per thread and scope: the newest one.
pub const PENDING_HEADS: usize = 1;
/// Inputs that wait for the loop: content.
pub const CONTENT_QUEUE: usize = 1024;
/// Inputs that wait for the loop: control, which go first.
pub const CONTROL_QUEUE: usize = 1024;
/// Inputs that one commit may cover.
pub const BATCH_INPUTS: usize = 512;
/// Commits whose records stay in memory for pumps and live streams.
pub const RECENT_COMMITS: usize = 1024;
/// Commits whose marks the store keeps.
pub const JOURNAL_COMMITS: u64 = 100_000;
/// Frames that wait between the tasks of one link.
pub const LINK_QUEUE: usize = 16;
/// Connections that are greeted at a time.
pub const GREETINGS: usize = 64;
/// Ephemeral notices that wait for a slow listener; the oldest are lost.
pub const NOTICES: usize = 256;
/// Remembered answers to acts and idempotency keys that are no submissions.
pub const REMEMBERED_ACTS: usize = 10_000;
/// Letters that wait for the mail server.
pub const LETTERS: usize = 10_000;
/// Letters to one address within an hour.
pub const LETTERS_PER_HOUR: usize = 6;
/// Letters to one address within a day.
pub const LETTERS_PER_DAY: usize = 20;
/// Longest link in a letter without its base, in bytes.
pub const LETTER_LINK_BYTES: usize = 256;
/// Characters of a name or subject in a letter.
pub const LETTER_NAME_CHARS: usize = 60;
/// Characters that are kept of a mail server's words.
pub const LETTER_ERROR_CHARS: usize = 300;
/// How long a letter rests after its first failed try, in milliseconds; it doubles with each one.
pub const LETTER_REST_MILLIS: u64 = 60_000;
/// The longest such rest, in milliseconds.
pub const LETTER_REST_MOST_MILLIS: u64 = HOUR_MILLIS;
/// How long a letter is tried, in milliseconds.
pub const LETTER_TRIED_MILLIS: u64 = 2 * DAY_MILLIS;
/// How long a letter without a date of its own is kept, in milliseconds.
pub const LETTER_KEPT_MILLIS: u64 = 14 * DAY_MILLIS;
/// Letters for a trial that wait for the mail server.
pub const MAIL_TRIALS: usize = 4;
/// How long the mail server may take for one letter, in seconds.
pub const MAIL_SECONDS: u64 = 30;
/// An hour in milliseconds.
pub const HOUR_MILLIS: u64 = 3_600_000;
/// Answers of one page of the API.
pub const API_PAGE: usize = 200;
/// Lines of a preview that the API gives; the counts are always of all.
pub const PREVIEW_LOSSES: usize = 20_000;
/// Entries that are looked at to say when the externals of a page were seen last.
pub const SEEN_ENTRIES: usize = 20_000;
/// Words of a name by which somebody or a group is found.
pub const NAME_KEYS: usize = 8;
/// Longest text to look for, in bytes.
pub const QUERY_BYTES: usize = 200;
/// Names that one request for people or groups looks at.
pub const NAMES_SCAN: usize = 2_000;
/// Threads of somebody that are looked at for one that is shared.
pub const CONTACT_THREADS: usize = 2_000;
/// Unread messages that are counted of one thread.
pub const UNREAD_MOST: usize = 100;
/// Threads that one request for the inbox looks at.
pub const INBOX_SCAN: usize = 5_000;
/// People and groups that a search shows beside messages.
pub const NAMES_FOUND: usize = 10;
/// Threads in whose index one request for messages looks.
pub const SEARCH_THREADS: usize = 5_000;
/// Texts that one request for messages reads.
pub const SEARCH_TEXTS: usize = 500;
/// Body of one API request, in bytes.
pub const API_BODY_BYTES: usize = 128 * 1024;
/// Invitations of one user through the API: at once, and more in a second. Admins are not bound.
pub const RATE_INVITE: (f64, f64) = (300.0, 2.0);
/// Searches of one user.
pub const RATE_SEARCH: (f64, f64) = (300.0, 20.0);
/// Requests of one address to what is open to whoever is not signed in.
pub const RATE_OPEN: (f64, f64) = (300.0, 5.0);
/// Tokens of one address that are none.
pub const RATE_GUESS: (f64, f64) = (300.0, 1.0);
/// Passwords that are tried for one account.
pub const RATE_PASSWORD: (f64, f64) = (10.0, 1.0 / 60.0);
/// Users and addresses of whom is remembered how much they asked.
pub const RATE_BUCKETS: usize = 20_000;
/// Live streams (server-sent events) of one user.
pub const STREAMS_PER_USER: usize = 16;
/// Audit rows that one page gives.
pub const AUDIT_PAGE: usize = 500;
/// Audit rows that one page looks at for those that were asked for.
pub const AUDIT_SCAN: usize = 50_000;
/// Largest export of the audit log that is checked at a time, in bytes.
pub const AUDIT_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Largest file of evidence that is checked, in bytes: the manifest chain is its longest part.
pub const EVIDENCE_FILE_BYTES: u64 = 128 * 1024 * 1024;
/// Rows that a migration of the store rewrites at a time.
pub const MIGRATED_ROWS: usize = 1000;

/// How long an owner that has started waits for what its followers hold, in milliseconds (spec 12.1).
pub const RECOVERY_MILLIS: u64 = 10_000;
/// Largest record of the journal, in bytes: a manifest chain is the longest part of one.
pub const JOURNAL_RECORD_BYTES: usize = 64 * 1024 * 1024;
/// Own objects from answers that wait for what lies before them, in memory; those beyond only take access away.
pub const WAITING_OBJECTS: usize = 10_000;
/// Scopes of one frame of a comparison.
pub const SCOPES_PER_FRAME: usize = 2_000;
/// Scopes of one comparison that are held in memory until its last frame.
pub const SCOPES_COMPARED: usize = 200_000;

const _: () = assert!(SCOPES_PER_FRAME * 200 < FRAME_BYTES);
const _: () = assert!(OBJECT_BYTES + PAGE_BYTES < FRAME_BYTES);
const _: () = assert!(
    (MEMBERS_PER_SCOPE + OPS_PER_EVENT) * MEMBER_BYTES + GROUPS_PER_THREAD * 64 + 4096 < OBJECT_BYTES
);
const _: () = assert!((MEMBERS_PER_SCOPE + OPS_PER_EVENT) * 14 + 1024 < CBOR_ITEMS);
const _: () = assert!(MANIFEST_REVISIONS * MANIFEST_BYTES + PAGE_BYTES < GREETING_BYTES);
const _: () = assert!(
    NAME_BYTES + ADDRESS_BYTES * (ENDPOINTS + 1) + KEYS_PER_USE * 10 * 36 + MANIFEST_EXTENSION_BYTES + 512
        < MANIFEST_BYTES
);
const _: () = assert!(PAGE_BYTES + BODY_BYTES + OBJECT_BYTES < FRAME_BYTES + OBJECT_BYTES);
const _: () = assert!(TEXT_BYTES + MENTIONS * 50 < BODY_BYTES);
const _: () = assert!(BODY_BYTES + 4096 < OBJECT_BYTES);
const _: () = assert!(CONTENT_WINDOW_BYTES > 2 * PAGE_BYTES);
const _: () = assert!(LEASE_LEAST_MILLIS / LEASE_DRIFT_PARTS > 10);
const _: () =
    assert!(LEASE_LEAST_MILLIS < LEASE_STANDARD_MILLIS && LEASE_STANDARD_MILLIS < LEASE_MOST_MILLIS);
const _: () = assert!(API_BODY_BYTES > 2 * TEXT_BYTES);
