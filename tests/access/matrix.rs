//! The access matrix: what every endpoint answers to whom.
//!
//! Duty: every line of `api::endpoints()` stands here; `main.rs` fails when one is missing. Never: staging.
//!
//! A template's `{name}` is filled from the places of who asks (`stage.rs`). A 404 is the very answer that an id of
//! nothing gets (P3.1), and a 401 is one for all. What ends something stands last, or has spare places: `{spare}`,
//! `{spare_topic}` and `{left}` are a group and topics of the caller's own, in which he is what he is in `{group}`.

/// The callers, in the order of the statuses: without a token; a free account of acme's realm, member of the group;
/// bob of globex, member of the group; rex of globex, removed from it; mia of acme, member of the group; gil of acme,
/// admin of the group; alice, admin of acme and of the group. bob and rex call globex, the others acme.
pub(crate) const ROLES: [&str; 7] =
    ["nobody", "free account", "external", "removed external", "member", "group admin", "admin"];

/// One way to call an endpoint.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// As `api::endpoints()` lists it.
    pub(crate) endpoint: &'static str,
    /// What is called.
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
    /// By the order of [`ROLES`].
    pub(crate) statuses: [u16; 7],
}

const fn row(endpoint: &'static str, path: &'static str, body: &'static str, statuses: [u16; 7]) -> Row {
    Row { endpoint, path, body, statuses }
}

/// For whoever is signed in, about himself or what he is in.
const fn signed(endpoint: &'static str, path: &'static str, body: &'static str, status: u16) -> Row {
    row(endpoint, path, body, [401, status, status, status, status, status, status])
}

/// For members of a workspace, at their own node; not for free accounts (P1.3).
const fn members(endpoint: &'static str, path: &'static str, body: &'static str, status: u16) -> Row {
    row(endpoint, path, body, [401, 403, status, status, status, status, status])
}

/// For everybody who is in the group or thread, of whatever home; to others it does not exist.
const fn inside(endpoint: &'static str, path: &'static str, body: &'static str, status: u16) -> Row {
    row(endpoint, path, body, [401, status, status, 404, status, status, status])
}

/// For the group's admins; others in it may not.
const fn group_admins(endpoint: &'static str, path: &'static str, body: &'static str, status: u16) -> Row {
    row(endpoint, path, body, [401, 403, 403, 404, 403, status, status])
}

/// The same, of a group's owner: an external admin's own node says that another workspace owns the group.
const fn owners(endpoint: &'static str, path: &'static str, body: &'static str, status: u16) -> Row {
    row(endpoint, path, body, [401, 403, 409, 404, 403, status, status])
}

/// For the workspace's admins; to others it does not exist.
const fn admins(endpoint: &'static str, path: &'static str, body: &'static str, status: u16) -> Row {
    row(endpoint, path, body, [401, 404, 404, 404, 404, 404, status])
}

pub(crate) const MATRIX: &[Row] = &[
    // Open to anyone.
    row("GET /health", "/health", "", [200; 7]),
    row("POST /forgotten", "/forgotten", r#"{"address":"{known}"}"#, [202; 7]),
    row("POST /sessions", "/sessions", SIGN_IN, [401; 7]),
    row("GET /join/{code}", "/join/{link}", "", [200, 200, 404, 404, 200, 200, 200]),
    row("GET /join/{code}", "/join/nothing", "", [404; 7]),
    row("POST /join/{code}/password", "/join/nothing/password", PASSWORD, [404; 7]),
    // globex makes no free accounts, and says so before it looks at the link.
    row("POST /join/{code}/account", "/join/nothing/account", ACCOUNT, [404, 404, 409, 409, 404, 404, 404]),
    // Oneself.
    signed("GET /me", "/me", "", 200),
    signed("GET /me/notifications", "/me/notifications", "", 200),
    signed("PATCH /me/notifications", "/me/notifications", r#"{"told":"direct"}"#, 204),
    signed("GET /inbox", "/inbox", "", 200),
    signed("POST /me/password", "/me/password", NEW_PASSWORD, 204),
    // A member's address needs no code; for a free account's no mail leaves this node.
    row("POST /me/code", "/me/code", "", [401, 409, 202, 202, 202, 202, 202]),
    signed("POST /me/code/show", "/me/code/show", r#"{"code":"x"}"#, 404),
    signed("GET /sessions", "/sessions", "", 200),
    signed("DELETE /sessions/{id}", "/sessions/{session}", "", 404),
    signed("DELETE /sessions/{id}", "/sessions/{second}", "", 204),
    signed("GET /claims", "/claims", "", 200),
    signed("POST /claims", "/claims", r#"{"code":"x"}"#, 422),
    signed("GET /workspace", "/workspace", "", 200),
    signed("GET /blocks", "/blocks", "", 200),
    signed("POST /blocks", "/blocks", OTHER, 204),
    signed("DELETE /blocks", "/blocks", OTHER, 204),
    signed("GET /requests", "/requests", "", 200),
    signed("GET /removals", "/removals", "", 200),
    signed("GET /contacts", "/contacts?q=a", "", 200),
    // Whoever shares a conversation with her, and her colleagues.
    inside("GET /people/{user}", "/people/{alice}", "", 200),
    signed("GET /search", "/search?q=secret", "", 200),
    signed("GET /threads", "/threads", "", 200),
    signed("GET /groups", "/groups", "", 200),
    signed("GET /pending", "/pending", "", 200),
    signed("DELETE /pending/{submission}", "/pending/sb_aeaqcaibaeaqcaibaeaqcaibae", "", 404),
    signed("GET /events", "/events", "", 200),
    signed("GET /invitations", "/invitations", "", 200),
    signed("GET /invitations/sent", "/invitations/sent", "", 200),
    // The own workspace.
    members("GET /users", "/users", "", 200),
    members("GET /users/{user}", "/users/{me}", "", 200),
    members("GET /workspace/policy", "/workspace/policy", "", 200),
    members("GET /directory", "/directory?q=secret", "", 200),
    members("GET /moves", "/moves", "", 200),
    members("POST /groups", "/groups", r#"{"name":"Mine"}"#, 201),
    signed("PATCH /users/{user}", "/users/{me}", r#"{"name":"Anew"}"#, 200),
    admins("PATCH /users/{user}", "/users/{other}", r#"{"title":"Anew"}"#, 200),
    signed("GET /users/{user}/tokens", "/users/{me}/tokens", "", 200),
    admins("GET /users/{user}/tokens", "/users/{other}/tokens", "", 200),
    signed("POST /users/{user}/tokens", "/users/{me}/tokens", "", 201),
    admins("POST /users/{user}/tokens", "/users/{other}/tokens", "", 201),
    // The session is nora's.
    signed("DELETE /users/{user}/tokens/{id}", "/users/{me}/tokens/{session}", "", 404),
    admins("DELETE /users/{user}/tokens/{id}", "/users/{other}/tokens/{session}", "", 204),
    // Its administration.
    admins("GET /claims/peerings", "/claims/peerings", "", 200),
    admins("POST /claims/{id}/peering", "/claims/{session}/peering", "", 404),
    admins("GET /workspace/keys", "/workspace/keys", "", 200),
    admins("POST /workspace/rotate", "/workspace/rotate", r#"{"key":"none"}"#, 422),
    admins("POST /workspace/journal/confirm", "/workspace/journal/confirm", "", 204),
    admins("POST /users", "/users", r#"{"local":"new","name":"New"}"#, 201),
    admins("GET /users/{user}/departure", "/users/{other}/departure", "", 200),
    // nora is not in it.
    admins("DELETE /users/{user}/memberships/{scope}", "/users/{other}/memberships/{group}", "", 404),
    admins("POST /users/{user}/link", "/users/{other}/link", "", 201),
    admins("GET /externals", "/externals", "", 200),
    admins("GET /abroad", "/abroad", "", 200),
    admins("GET /accounts", "/accounts", "", 200),
    // A member is no free account.
    admins("GET /accounts/{user}/departure", "/accounts/{other}/departure", "", 404),
    admins("DELETE /accounts/{user}", "/accounts/{other}", "", 404),
    admins("GET /audit", "/audit", "", 200),
    admins("GET /audit/export", "/audit/export", "", 200),
    admins("GET /evidence", "/evidence", "", 200),
    admins("GET /evidence/{id}", "/evidence/{session}", "", 404),
    admins("GET /mail", "/mail", "", 200),
    admins("POST /mail/test", "/mail/test", r#"{"to":"x@y.example"}"#, 409),
    admins("POST /mail/{number}/retry", "/mail/1/retry", "", 404),
    admins("DELETE /mail/{number}", "/mail/1", "", 404),
    admins("GET /peers", "/peers", "", 200),
    admins("POST /peers", "/peers", r#"{"ticket":"x"}"#, 422),
    admins("POST /peers/tickets", "/peers/tickets", "", 201),
    admins("GET /peers/{peer}/end", "/peers/{peer}/end", "", 200),
    admins("POST /peers/{peer}/dial", "/peers/{peer}/dial", "", 202),
    admins("PATCH /peers/{peer}", "/peers/{peer}", "", 204),
    admins("GET /peers/{peer}/policy", "/peers/{peer}/policy", "", 200),
    admins("GET /peers/{peer}/tightening", "/peers/{peer}/tightening?change=%7B%7D", "", 200),
    admins("PATCH /workspace/policy", "/workspace/policy", "", 204),
    admins("GET /workspace/policy/tightening", "/workspace/policy/tightening?change=%7B%7D", "", 200),
    admins("GET /invitations/approvals", "/invitations/approvals", "", 200),
    admins("POST /invitations/{id}/approve", "/invitations/{invite}/approve", "", 404),
    admins("POST /invitations/{id}/refuse", "/invitations/{invite}/refuse", "", 404),
    admins("POST /moves/{id}/accept", "/moves/mv_aeaqcaibaeaqcaibaeaqcaibae/accept", "", 404),
    // Whoever administers a group may take back what he may offer.
    members("DELETE /moves/{id}", "/moves/mv_aeaqcaibaeaqcaibaeaqcaibae", "", 404),
    admins("GET /groups/{id}/handover", "/groups/{group}/handover", "", 404),
    admins("POST /handovers", "/handovers", r#"{"handovers":[]}"#, 422),
    // Invitations: whom one is for answers it, who sent it and the group's admins take it back. Who is in the group at
    // its owner hears that he may not: 403.
    row("POST /invitations/{id}/decline", "/invitations/{declined}/decline", "", BOB),
    row("POST /invitations/{id}/accept", "/invitations/{invite}/accept", "", BOB),
    row(
        "POST /invitations/{id}/resend",
        "/invitations/{sent}/resend",
        "",
        [401, 404, 404, 404, 403, 200, 200],
    ),
    row(
        "POST /invitations/{id}/claim",
        "/invitations/{sent}/claim",
        ACCEPT,
        [401, 404, 404, 404, 403, 409, 409],
    ),
    row("DELETE /invitations/{id}", "/invitations/{sent}", "", [401, 404, 404, 404, 403, 204, 204]),
    // The group.
    inside("GET /groups/{id}", "/groups/{group}", "", 200),
    inside("GET /groups/{id}/members", "/groups/{group}/members", "", 200),
    inside("GET /groups/{id}/members", "/groups/{group}/members?q=pi", "", 200),
    owners("GET /groups/{id}/policy", "/groups/{group}/policy", "", 200),
    owners("PATCH /groups/{id}/policy", "/groups/{group}/policy", "", 204),
    owners("GET /groups/{id}/policy/tightening", "/groups/{group}/policy/tightening?change=%7B%7D", "", 200),
    owners("GET /groups/{id}/tightening", "/groups/{group}/tightening", "", 200),
    owners("GET /groups/{id}/move", "/groups/{group}/move?to={peer}", "", 200),
    row("POST /groups/{id}/join", "/groups/{group}/join", "", [401, 403, 200, 404, 200, 200, 200]),
    row(
        "GET /removals/{scope}/{epoch}",
        "/removals/{group}/{epoch}",
        "",
        [401, 409, 409, 404, 200, 200, 200],
    ),
    group_admins("PATCH /groups/{id}", "/groups/{spare}", r#"{"name":"SECRET anew"}"#, 204),
    group_admins(
        "GET /groups/{id}/members/preview",
        "/groups/{spare}/members/preview?address=nora@acme.example",
        "",
        200,
    ),
    group_admins("POST /groups/{id}/members", "/groups/{spare}/members", NORA, 201),
    group_admins("PATCH /groups/{id}/members/{user}", "/groups/{spare}/members/{pia}", READS, 204),
    // Threads.
    inside("GET /threads/{id}", "/threads/{topic}", "", 200),
    inside("GET /threads/{id}/members", "/threads/{topic}/members", "", 200),
    inside("GET /threads/{id}/why", "/threads/{topic}/why", "", 200),
    inside("GET /threads/{id}/requests", "/threads/{topic}/requests", "", 200),
    inside("POST /threads/{id}/follow", "/threads/{topic}/follow", "", 204),
    inside("DELETE /threads/{id}/follow", "/threads/{topic}/follow", "", 204),
    inside("POST /threads/{id}/archive", "/threads/{topic}/archive", "", 204),
    inside("DELETE /threads/{id}/archive", "/threads/{topic}/archive", "", 204),
    inside("POST /threads/{id}/typing", "/threads/{topic}/typing", "", 204),
    inside("POST /threads/{id}/read", "/threads/{topic}/read", r#"{"seq":1}"#, 204),
    inside("POST /threads", "/threads", r#"{"subject":"x","groups":["{group}"]}"#, 201),
    // A thread of nobody's but oneself's is no answer where one was invited (P1.3).
    row("POST /threads", "/threads", FROM, [401, 403, 201, 404, 201, 201, 201]),
    // Who shares nothing with pia any more asks her like any stranger: no address is told from another (P2.4).
    row("POST /dms", "/dms", r#"{"address":"pia@acme.example"}"#, [401, 201, 201, 201, 201, 201, 201]),
    row(
        "POST /threads/{id}/requests",
        "/threads/{topic}/requests",
        NORA,
        [401, 403, 422, 404, 422, 422, 422],
    ),
    row("POST /threads/{id}/requests/{request}/approve", APPROVE, "", [401, 403, 403, 404, 403, 404, 404]),
    row("POST /threads/{id}/requests/{request}/decline", DECLINE, "", [401, 403, 403, 404, 403, 404, 404]),
    // Whoever writes in a thread that is not locked adds recipients (P6.3); a free account invites nobody (P1.3).
    row(
        "GET /threads/{id}/members/preview",
        "/threads/{spare_topic}/members/preview?address=nora@acme.example",
        "",
        [401, 403, 200, 404, 200, 200, 200],
    ),
    row(
        "POST /threads/{id}/members",
        "/threads/{spare_topic}/members",
        NORA,
        [401, 403, 201, 404, 201, 201, 201],
    ),
    row(
        "POST /threads/{id}/groups",
        "/threads/{spare_topic}/groups",
        GROUP,
        [401, 403, 202, 404, 202, 202, 202],
    ),
    group_admins("PATCH /threads/{id}", "/threads/{spare_topic}", r#"{"locked":true}"#, 204),
    group_admins("PATCH /threads/{id}/members/{user}", "/threads/{spare_topic}/members/{pia}", READS, 204),
    group_admins("DELETE /threads/{id}/members/{user}", "/threads/{spare_topic}/members/{pia}", "", 200),
    group_admins("DELETE /threads/{id}/groups/{group}", "/threads/{spare_topic}/groups/{group}", "", 204),
    // All are here through the group, and are told to leave that.
    inside("POST /threads/{id}/leave", "/threads/{spare_topic}/leave", "", 422),
    // Messages.
    inside("GET /threads/{id}/messages", "/threads/{topic}/messages", "", 200),
    inside("POST /threads/{id}/messages", "/threads/{chat}/messages", r#"{"text":"hi"}"#, 201),
    inside("GET /threads/{id}/messages/{seq}", "/threads/{topic}/messages/1", "", 200),
    inside("PATCH /threads/{id}/messages/{seq}", "/threads/{chat}/messages/{own}", r#"{"text":"hm"}"#, 201),
    inside(
        "POST /threads/{id}/messages/{seq}/reactions",
        "/threads/{topic}/messages/1/reactions",
        EMOJI,
        201,
    ),
    inside(
        "DELETE /threads/{id}/messages/{seq}/reactions",
        "/threads/{topic}/messages/1/reactions",
        EMOJI,
        201,
    ),
    inside("DELETE /threads/{id}/messages/{seq}", "/threads/{chat}/messages/{own}", "", 201),
    // What ends something.
    group_admins("DELETE /threads/{id}", "/threads/{spare_topic}", "", 204),
    group_admins("DELETE /groups/{id}/members/{user}", "/groups/{spare}/members/{pia}", "", 200),
    owners("POST /groups/{id}/move", "/groups/{group}/move", r#"{"to":"{peer}"}"#, 202),
    group_admins("DELETE /groups/{id}", "/groups/{spare}", "", 204),
    inside("POST /groups/{id}/leave", "/groups/{left}/leave", "", 204),
    signed("POST /sessions/trade", "/sessions/trade", "", 201),
    signed("DELETE /sessions", "/sessions", "", 204),
    signed("DELETE /me/token", "/me/token", "", 204),
    signed("DELETE /users/{user}/tokens", "/users/{me}/tokens", "", 204),
    admins("DELETE /users/{user}/tokens", "/users/{other}/tokens", "", 204),
    admins("DELETE /users/{user}", "/users/{goner}", "", 204),
    admins("POST /peers/{peer}/pause", "/peers/{peer}/pause", "", 204),
    admins("POST /peers/{peer}/approve", "/peers/{peer}/approve", "", 204),
    admins("DELETE /peers/{peer}", "/peers/{peer}", "", 204),
];

/// Where only bob is invited.
const BOB: [u16; 7] = [401, 404, 204, 404, 404, 404, 404];
const SIGN_IN: &str = r#"{"address":"{known}","password":"not the password"}"#;
const PASSWORD: &str = r#"{"password":"a long enough password"}"#;
const NEW_PASSWORD: &str = r#"{"old":"a long enough password","new":"a long enough password"}"#;
const ACCOUNT: &str = r#"{"name":"Jo","password":"a long enough password"}"#;
const ACCEPT: &str = r#"{"accept":true}"#;
const APPROVE: &str = "/threads/{topic}/requests/rq_aeaqcaibaeaqcaibaeaqcaibae/approve";
const DECLINE: &str = "/threads/{topic}/requests/rq_aeaqcaibaeaqcaibaeaqcaibae/decline";
const OTHER: &str = r#"{"user":"{other}"}"#;
const NORA: &str = r#"{"address":"nora@acme.example"}"#;
const READS: &str = r#"{"grade":"read"}"#;
const GROUP: &str = r#"{"group":"{group}"}"#;
const FROM: &str = r#"{"subject":"x","from":{"thread":"{topic}","seq":1}}"#;
const EMOJI: &str = r#"{"emoji":"+1"}"#;
