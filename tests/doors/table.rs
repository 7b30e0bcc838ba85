//! The table: one row or more per endpoint, what it gives a member, and what it gives him after his removal.
//!
//! Duty: every line of `api::endpoints()` stands here; `main.rs` fails when one is missing. Never: staging.
//!
//! A template's `{name}` is filled from the places of the person who asks; `{thread}` stands for the chat, the topic with
//! him as direct recipient and the topic that he started, one after the other.

/// What the removed gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The very bytes that an id of nothing gets (P3.1).
    Missing,
    /// Success, and nothing in it of what was lost.
    Without,
    /// Success that does nothing: the answer to what was done before, or the removed's own words.
    Repeated,
}
use After::{Missing, Repeated, Without};

/// One way to call an endpoint.
pub(crate) struct Row {
    /// As `api::endpoints()` lists it.
    pub(crate) endpoint: &'static str,
    /// What is called.
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
    /// The statuses before: for bob, an external member, and for mia, a member at the owner's own workspace.
    pub(crate) before: [u16; 2],
    /// What the answer before shows.
    pub(crate) shows: &'static str,
    pub(crate) after: After,
    /// Before, the call goes to spare places, because it ends what it is about.
    pub(crate) spare: bool,
    /// Both calls carry the same Idempotency-Key.
    pub(crate) key: bool,
}

const fn row(
    endpoint: &'static str,
    path: &'static str,
    body: &'static str,
    before: [u16; 2],
    shows: &'static str,
    after: After,
) -> Row {
    Row { endpoint, path, body, before, shows, after, spare: false, key: false }
}

const fn spare(row: Row) -> Row {
    Row { spare: true, ..row }
}

const fn key(row: Row) -> Row {
    Row { key: true, ..row }
}

/// What admins have does not exist for others, before and after.
const fn admins(endpoint: &'static str, path: &'static str, body: &'static str) -> Row {
    row(endpoint, path, body, [404, 404], "", Missing)
}

pub(crate) const TABLE: &[Row] = &[
    row("GET /health", "/health", "", [200, 200], "ok", Without),
    row("GET /me", "/me", "", [200, 200], "{me}", Without),
    row("GET /workspace", "/workspace", "", [200, 200], "fingerprint", Without),
    admins("GET /workspace/keys", "/workspace/keys", ""),
    admins("POST /workspace/rotate", "/workspace/rotate", r#"{"key":"tls"}"#),
    admins("POST /workspace/journal/confirm", "/workspace/journal/confirm", ""),
    row("GET /users", "/users", "", [200, 200], "{me}", Without),
    row("GET /users/{user}", "/users/{me}", "", [200, 200], "{me}", Without),
    admins("POST /users", "/users", r#"{"local":"new","name":"New"}"#),
    row("PATCH /users/{user}", "/users/{me}", r#"{"name":"Anew"}"#, [200, 200], "Anew", Without),
    admins("DELETE /users/{user}", "/users/{me}", ""),
    admins("GET /users/{user}/departure", "/users/{me}/departure", ""),
    admins("DELETE /users/{user}/memberships/{scope}", "/users/{me}/memberships/{group}", ""),
    row("GET /users/{user}/tokens", "/users/{me}/tokens", "", [200, 200], "sessions", Without),
    row("POST /users/{user}/tokens", "/users/{me}/tokens", "", [201, 201], "token", Without),
    row("DELETE /users/{user}/tokens/{id}", "/users/{me}/tokens/h_x", "", [404, 404], "", Missing),
    admins("POST /users/{user}/link", "/users/{me}/link", ""),
    row("POST /me/password", "/me/password", r#"{"new":"short"}"#, [422, 422], "", Without),
    row("POST /me/code", "/me/code", "", [202, 202], "", Without),
    row("POST /me/code/show", "/me/code/show", r#"{"code":"x"}"#, [404, 404], "", Missing),
    row("POST /forgotten", "/forgotten", r#"{"address":"nobody@acme.example"}"#, [202, 202], "", Without),
    row("POST /sessions", "/sessions", SIGN_IN, [401, 401], "", Without),
    row("GET /sessions", "/sessions", "", [200, 200], "sessions", Without),
    row("DELETE /sessions/{id}", "/sessions/h_x", "", [404, 404], "", Missing),
    row("GET /join/{code}", "/join/nothing", "", [404, 404], "", Missing),
    row("POST /join/{code}/password", "/join/nothing/password", PASSWORD, [404, 404], "", Missing),
    row("POST /join/{code}/account", "/join/nothing/account", ACCOUNT, [409, 409], "", Without),
    row("GET /claims", "/claims", "", [200, 200], "claims", Without),
    row("POST /claims", "/claims", r#"{"code":"x"}"#, [422, 422], "", Without),
    admins("GET /claims/peerings", "/claims/peerings", ""),
    admins("POST /claims/{id}/peering", "/claims/h_x/peering", ""),
    admins("GET /externals", "/externals", ""),
    admins("GET /abroad", "/abroad", ""),
    admins("GET /accounts", "/accounts", ""),
    admins("GET /accounts/{user}/departure", "/accounts/{me}/departure", ""),
    admins("DELETE /accounts/{user}", "/accounts/{me}", ""),
    admins("GET /audit", "/audit", ""),
    admins("GET /evidence", "/evidence", ""),
    admins("GET /evidence/{id}", "/evidence/h_x", ""),
    admins("GET /audit/export", "/audit/export", ""),
    admins("GET /mail", "/mail", ""),
    admins("POST /mail/test", "/mail/test", r#"{"to":"x@y.example"}"#),
    admins("POST /mail/{number}/retry", "/mail/1/retry", ""),
    admins("DELETE /mail/{number}", "/mail/1", ""),
    admins("GET /peers", "/peers", ""),
    admins("POST /peers", "/peers", r#"{"ticket":"x"}"#),
    admins("POST /peers/tickets", "/peers/tickets", ""),
    admins("DELETE /peers/{peer}", "/peers/{peer}", ""),
    admins("GET /peers/{peer}/end", "/peers/{peer}/end", ""),
    admins("POST /peers/{peer}/dial", "/peers/{peer}/dial", ""),
    admins("PATCH /peers/{peer}", "/peers/{peer}", r#"{"invites":"refuse"}"#),
    admins("POST /peers/{peer}/approve", "/peers/{peer}/approve", ""),
    admins("POST /peers/{peer}/pause", "/peers/{peer}/pause", ""),
    // Policy and conduct.
    row("GET /workspace/policy", "/workspace/policy", "", [200, 200], "inviters", Without),
    admins("PATCH /workspace/policy", "/workspace/policy", r#"{"days":7}"#),
    admins("GET /workspace/policy/tightening", "/workspace/policy/tightening?change=%7B%7D", ""),
    admins("GET /peers/{peer}/policy", "/peers/{peer}/policy", ""),
    admins("GET /peers/{peer}/tightening", "/peers/{peer}/tightening?change=%7B%7D", ""),
    row("GET /groups/{id}/policy", "/groups/{group}/policy", "", [409, 403], "", Missing),
    row("PATCH /groups/{id}/policy", "/groups/{group}/policy", ADMIN, [409, 403], "", Missing),
    row(
        "GET /groups/{id}/policy/tightening",
        "/groups/{group}/policy/tightening?change=%7B%7D",
        "",
        [409, 403],
        "",
        Missing,
    ),
    admins("GET /invitations/approvals", "/invitations/approvals", ""),
    admins("POST /invitations/{id}/approve", "/invitations/in_aeaqcaibaeaqcaibaeaqcaibae/approve", ""),
    admins("POST /invitations/{id}/refuse", "/invitations/in_aeaqcaibaeaqcaibaeaqcaibae/refuse", ""),
    row("GET /requests", "/requests", "", [200, 200], "requests", Without),
    row("GET /threads/{id}/requests", "/threads/{thread}/requests", "", [200, 200], "requests", Missing),
    row("POST /threads/{id}/requests", "/threads/{direct}/requests", INVITE, [422, 422], "", Missing),
    row("POST /threads/{id}/requests/{request}/approve", APPROVE, "", [403, 403], "", Missing),
    row("POST /threads/{id}/requests/{request}/decline", DECLINE, "", [403, 403], "", Missing),
    // Invitations: one that is open is void with the removal, one that was used brings nobody back.
    row("GET /invitations", "/invitations", "", [200, 0], "{open}", Without),
    spare(row(
        "POST /invitations/{id}/decline",
        "/invitations/{declined}/decline",
        "",
        [204, 0],
        "",
        Repeated,
    )),
    spare(row("POST /invitations/{id}/accept", "/invitations/{invite}/accept", "", [204, 0], "", Repeated)),
    row("GET /invitations/sent", "/invitations/sent", "", [200, 200], "invitations", Without),
    spare(row("POST /invitations/{id}/resend", "/invitations/{sent}/resend", "", [0, 200], "", Missing)),
    spare(row("POST /invitations/{id}/claim", "/invitations/{sent}/claim", ACCEPT, [0, 409], "", Missing)),
    spare(row("DELETE /invitations/{id}", "/invitations/{sent}", "", [0, 204], "", Missing)),
    // The group.
    row("GET /groups", "/groups", "", [200, 200], "{group}", Without),
    row("POST /groups", "/groups", r#"{"name":"Mine"}"#, [201, 201], "Mine", Without),
    row("GET /groups/{id}", "/groups/{group}", "", [200, 200], "SECRET", Missing),
    row("PATCH /groups/{id}", "/groups/{group}", r#"{"name":"Hijacked"}"#, [403, 403], "", Missing),
    row("DELETE /groups/{id}", "/groups/{group}", "", [403, 403], "", Missing),
    row("GET /groups/{id}/members", "/groups/{group}/members", "", [200, 200], "{alice}", Missing),
    row(
        "GET /groups/{id}/members",
        "/groups/{group}/members?after={alice}",
        "",
        [200, 200],
        "members",
        Missing,
    ),
    row(
        "GET /groups/{id}/members/preview",
        "/groups/{group}/members/preview?address=carl@globex.example",
        "",
        [200, 200],
        "",
        Missing,
    ),
    row("POST /groups/{id}/members", "/groups/{group}/members", INVITE, [202, 202], "", Missing),
    key(row("POST /groups/{id}/members", "/groups/{group}/members", INVITE, [202, 202], "", Repeated)),
    row("DELETE /groups/{id}/members/{user}", "/groups/{group}/members/{alice}", "", [403, 403], "", Missing),
    row("PATCH /groups/{id}/members/{user}", "/groups/{group}/members/{me}", ADMIN, [403, 403], "", Missing),
    spare(row("POST /groups/{id}/leave", "/groups/{left}/leave", "", [204, 204], "", Missing)),
    row("GET /groups/{id}/tightening", "/groups/{group}/tightening", "", [409, 403], "", Missing),
    row("GET /groups/{id}/move", "/groups/{group}/move?to=globex.example", "", [409, 403], "", Missing),
    row("POST /groups/{id}/move", "/groups/{group}/move", MOVE, [409, 403], "", Missing),
    row("GET /moves", "/moves", "", [200, 200], "moves", Without),
    admins("POST /moves/{id}/accept", "/moves/mv_aeaqcaibaeaqcaibaeaqcaibae/accept", ""),
    admins("DELETE /moves/{id}", "/moves/mv_aeaqcaibaeaqcaibaeaqcaibae", ""),
    admins("GET /groups/{id}/handover", "/groups/{group}/handover", ""),
    admins("POST /handovers", "/handovers", r#"{"handovers":[]}"#),
    row("GET /removals", "/removals", "", [200, 200], "{removals}", Without),
    row("GET /removals/{scope}/{epoch}", REMOVAL, "", [409, 0], "another workspace owns this", Missing),
    row("GET /removals/{scope}/{epoch}", REMOVAL, "", [0, 200], "{group}", Missing),
    // By name. Colleagues stay colleagues: mia's search is for who is not at home at acme.
    row("GET /contacts", "/contacts?q=alice", "", [200, 0], "{alice}", Without),
    row("GET /people/{user}", "/people/{alice}", "", [200, 200], "{alice}", Without),
    row("GET /contacts", "/contacts?q=bob", "", [0, 200], "bob@globex.example", Without),
    row("GET /directory", "/directory", "", [200, 200], "{group}", Without),
    row("GET /directory", "/directory?q=secret", "", [200, 200], "{group}", Without),
    row("GET /groups/{id}/members", "/groups/{group}/members?q=ali", "", [200, 200], "{alice}", Missing),
    row("POST /groups/{id}/join", "/groups/{group}/join", "", [200, 200], "SECRET", Missing),
    row("DELETE /threads/{id}/follow", "/threads/{thread}/follow", "", [204, 204], "", Missing),
    row("POST /threads/{id}/follow", "/threads/{thread}/follow", "", [204, 204], "", Missing),
    row("POST /threads/{id}/archive", "/threads/{thread}/archive", "", [204, 204], "", Missing),
    row("DELETE /threads/{id}/archive", "/threads/{thread}/archive", "", [204, 204], "", Missing),
    row("GET /inbox", "/inbox", "", [200, 200], "unread", Without),
    row("GET /me/notifications", "/me/notifications", "", [200, 200], "direct", Without),
    row("PATCH /me/notifications", "/me/notifications", TOLD, [204, 204], "", Without),
    row("GET /threads", "/threads?view=all&unread=true", "", [200, 200], "{chat}", Without),
    row("GET /search", "/search?q=secret", "", [200, 200], "SECRET words", Without),
    row("GET /search", "/search?q=subject", "", [200, 200], "{started}", Without),
    row("POST /threads", "/threads", FROM, [201, 201], "{chat}", Missing),
    // Threads as places.
    row("GET /threads", "/threads", "", [200, 200], "{chat}", Without),
    row("GET /threads", "/threads?before=99999999999999-{chat}", "", [200, 200], "{chat}", Without),
    row("POST /threads", "/threads", r#"{"subject":"x","groups":["{group}"]}"#, [201, 201], "th_", Missing),
    key(row(
        "POST /threads",
        "/threads",
        r#"{"subject":"x","groups":["{group}"]}"#,
        [201, 201],
        "th_",
        Repeated,
    )),
    row("POST /dms", "/dms", r#"{"address":"{contact}"}"#, [201, 0], "th_", Without),
    row("GET /threads/{id}", "/threads/{thread}", "", [200, 200], "SECRET", Missing),
    row("PATCH /threads/{id}", "/threads/{chat}", r#"{"closed":true}"#, [403, 403], "", Missing),
    row("PATCH /threads/{id}", "/threads/{started}", r#"{"name":"SECRET too"}"#, [204, 204], "", Missing),
    row("DELETE /threads/{id}", "/threads/{direct}", "", [403, 403], "", Missing),
    spare(row("DELETE /threads/{id}", "/threads/{started}", "", [204, 204], "", Missing)),
    row("GET /threads/{id}/members", "/threads/{thread}/members", "", [200, 200], "members", Missing),
    row(
        "GET /threads/{id}/members/preview",
        "/threads/{direct}/members/preview?address=carl@globex.example",
        "",
        [200, 200],
        "",
        Missing,
    ),
    row("POST /threads/{id}/members", "/threads/{direct}/members", INVITE, [202, 202], "", Missing),
    row("POST /threads/{id}/members", "/threads/{started}/members", INVITE, [202, 202], "", Missing),
    row("POST /threads/{id}/members", "/threads/{started}/members", INVITE_ME, [202, 201], "", Missing),
    row(
        "DELETE /threads/{id}/members/{user}",
        "/threads/{direct}/members/{alice}",
        "",
        [403, 403],
        "",
        Missing,
    ),
    row(
        "PATCH /threads/{id}/members/{user}",
        "/threads/{direct}/members/{me}",
        ADMIN,
        [403, 403],
        "",
        Missing,
    ),
    spare(row("POST /threads/{id}/leave", "/threads/{direct}/leave", "", [204, 204], "", Missing)),
    row("POST /threads/{id}/groups", "/threads/{direct}/groups", GROUP, [202, 202], "", Missing),
    spare(row("POST /threads/{id}/groups", "/threads/{mine}/groups", GROUP, [202, 202], "", Missing)),
    row(
        "DELETE /threads/{id}/groups/{group}",
        "/threads/{direct}/groups/{group}",
        "",
        [403, 403],
        "",
        Missing,
    ),
    row("GET /threads/{id}/why", "/threads/{thread}/why", "", [200, 200], "paths", Missing),
    row("POST /threads/{id}/typing", "/threads/{thread}/typing", "", [204, 204], "", Missing),
    row("POST /threads/{id}/read", "/threads/{thread}/read", r#"{"seq":1}"#, [204, 204], "", Missing),
    // Messages.
    row("GET /threads/{id}/messages", "/threads/{thread}/messages", "", [200, 200], "SECRET", Missing),
    row(
        "GET /threads/{id}/messages",
        "/threads/{thread}/messages?before=2",
        "",
        [200, 200],
        "SECRET",
        Missing,
    ),
    row(
        "POST /threads/{id}/messages",
        "/threads/{thread}/messages",
        r#"{"text":"hi"}"#,
        [201, 201],
        "seq",
        Missing,
    ),
    key(row(
        "POST /threads/{id}/messages",
        "/threads/{chat}/messages",
        r#"{"text":"hi"}"#,
        [201, 201],
        "seq",
        Missing,
    )),
    row(
        "GET /threads/{id}/messages/{seq}",
        "/threads/{thread}/messages/1",
        "",
        [200, 200],
        "SECRET",
        Missing,
    ),
    row(
        "POST /threads/{id}/messages/{seq}/reactions",
        "/threads/{thread}/messages/1/reactions",
        EMOJI,
        [201, 201],
        "seq",
        Missing,
    ),
    row(
        "DELETE /threads/{id}/messages/{seq}/reactions",
        "/threads/{thread}/messages/1/reactions",
        EMOJI,
        [201, 201],
        "seq",
        Missing,
    ),
    row(
        "PATCH /threads/{id}/messages/{seq}",
        "/threads/{chat}/messages/{own}",
        r#"{"text":"hm"}"#,
        [201, 201],
        "seq",
        Missing,
    ),
    row(
        "DELETE /threads/{id}/messages/{seq}",
        "/threads/{chat}/messages/{own}",
        "",
        [201, 201],
        "seq",
        Missing,
    ),
    row("GET /events", "/events", "", [200, 200], "hello", Without),
    row("POST /blocks", "/blocks", ALICE, [204, 204], "", Without),
    row("GET /blocks", "/blocks", "", [200, 200], "blocked", Without),
    row("DELETE /blocks", "/blocks", ALICE, [204, 204], "", Without),
    // The outbox while the link rests, and sessions: last, because they end what the rows above use.
    row("GET /pending", "/pending", "", [200, 0], "{waiting}", Repeated),
    spare(row("DELETE /pending/{submission}", "/pending/{waiting}", "", [204, 0], "", Repeated)),
    row("POST /sessions/trade", "/sessions/trade", "", [201, 201], "token", Without),
    row("DELETE /sessions", "/sessions", "", [204, 204], "", Without),
    row("DELETE /me/token", "/me/token", "", [204, 204], "", Without),
    row("DELETE /users/{user}/tokens", "/users/{me}/tokens", "", [204, 204], "", Without),
];

const SIGN_IN: &str = r#"{"address":"nobody@acme.example","password":"a long enough password"}"#;
const PASSWORD: &str = r#"{"password":"a long enough password"}"#;
const ACCOUNT: &str = r#"{"name":"Jo","password":"a long enough password"}"#;
const ACCEPT: &str = r#"{"accept":true}"#;
const APPROVE: &str = "/threads/{direct}/requests/rq_aeaqcaibaeaqcaibaeaqcaibae/approve";
const DECLINE: &str = "/threads/{direct}/requests/rq_aeaqcaibaeaqcaibaeaqcaibae/decline";
const ALICE: &str = r#"{"user":"{alice}"}"#;
const REMOVAL: &str = "/removals/{group}/{epoch}";
const INVITE: &str = r#"{"address":"carl@globex.example"}"#;
const INVITE_ME: &str = r#"{"address":"{address}"}"#;
const ADMIN: &str = r#"{"grade":"admin"}"#;
const TOLD: &str = r#"{"told":"direct"}"#;
const GROUP: &str = r#"{"group":"{group}"}"#;
const FROM: &str = r#"{"subject":"x","from":{"thread":"{chat}","seq":1}}"#;
const MOVE: &str = r#"{"to":"globex.example"}"#;
const EMOJI: &str = r#"{"emoji":"+1"}"#;
