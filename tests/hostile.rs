//! Peers that break the protocol on real QUIC: each is refused with a reason, none harms others (invariants 9, 14).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::{net::SocketAddr, sync::Arc};

use comity::{
    crypto::{SecretKey, sha256},
    federation,
    ids::{FeedId, Hash, Salt, SubmissionId, ThreadId, UserId, WorkspaceId},
    node::{Node, Snapshot, identity},
    protocol::{Command, row::PeerStatus},
    time::Millis,
    wire::{
        Blob, Body, Sealed, cbor, envelope,
        frames::{Control, FeedFrame, Hello, Item, Submit, SubmitAnswer},
        objects::{EntryKind, Event, Extensions, Op, Settings, Submission},
    },
};
use harness::raw::{closed, connect, frame, key_of, receive, send};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use tempfile::TempDir;

mod harness;

/// acme, which runs, and globex, its peer, of which only the keys act here.
struct Stage {
    _dirs: [TempDir; 2],
    acme: Node,
    at: SocketAddr,
    globex: WorkspaceId,
    tls: SecretKey,
    sign: SecretKey,
    revision: (u64, Hash),
}

async fn stage() -> Stage {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    identity::init(dirs[0].path(), "Acme", "acme.example", vec![]).unwrap();
    let home = identity::init(dirs[1].path(), "Globex", "globex.example", vec![]).unwrap();
    let acme = Node::start(dirs[0].path()).unwrap();
    let at = federation::start(&acme.handle, &acme.tls, "127.0.0.1:0".parse().unwrap()).unwrap();
    let secret = Blob::from(vec![7; 32]);
    acme.handle.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await.unwrap();
    acme.handle.ask(Command::PeerRequest { manifests: home.chain.clone(), secret }).await.unwrap();
    acme.handle.ask(Command::Approve(home.id)).await.unwrap();
    let (tls, sign) = (key_of(dirs[1].path(), "tls.key"), key_of(dirs[1].path(), "sign.key"));
    Stage { acme, at, globex: home.id, tls, sign, revision: (0, home.hash), _dirs: dirs }
}

impl Stage {
    fn hello(&self) -> Control {
        let hello = Hello {
            workspace: self.globex,
            revision: self.revision.0,
            manifest: self.revision.1,
            known: Some(0),
            ticket: None,
            approved: true,
            boots: 1,
            clock: Millis(0),
            extensions: Extensions::default(),
        };
        Control::Hello { hello }
    }

    /// A link as a true peer would have it.
    async fn link(&self) -> (Endpoint, Connection, SendStream, RecvStream) {
        let (endpoint, connection) = connect(&self.tls, self.at).await;
        let (mut control, mut answers) = connection.open_bi().await.unwrap();
        let hello = frame(&cbor::encode(&self.hello()));
        send(&mut control, &[[1].as_slice(), &hello].concat()).await;
        assert!(matches!(receive::<Control>(&mut answers).await, Control::Hello { .. }));
        let resume = Control::Resume { feed: None, content: 0 };
        send(&mut control, &frame(&cbor::encode(&resume))).await;
        (endpoint, connection, control, answers)
    }

    /// The node still serves.
    async fn is_well(&self) {
        let (_endpoint, connection, ..) = self.link().await;
        connection.close(quinn::VarInt::from_u32(0), b"");
        let view: Arc<Snapshot> = self.acme.handle.snapshot();
        assert_eq!(view.state.peers[&self.globex].status, PeerStatus::Active);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_nothing() {
    let stage = stage().await;
    let stranger = SecretKey::from_seed(&[66; 32]);
    let other_version =
        [[1].as_slice(), &frame(&cbor::encode(&Control::Bye { reason: "x".into() }))].concat();
    let not_me = [[1].as_slice(), &frame(&cbor::encode(&stage.hello()))].concat();
    for (why, bytes) in [
        ("no stream kind", vec![99, 0, 0, 0, 1, 0]),
        ("another kind than control first", vec![3, 0, 0, 0, 1, 0]),
        ("a frame of 4 GiB", vec![1, 255, 255, 255, 255]),
        ("an empty frame", vec![1, 0, 0, 0, 0]),
        ("garbage", [[1].as_slice(), &frame(&[0xff; 100])].concat()),
        ("nested beyond the limit", [[1].as_slice(), &frame(&[0x81; 1000])].concat()),
        ("another frame than a hello", other_version),
        ("a peer's name with another key", not_me),
    ] {
        let (_endpoint, connection) = connect(&stranger, stage.at).await;
        let (mut control, _answers) = connection.open_bi().await.unwrap();
        send(&mut control, &bytes).await;
        let reason = closed(&connection).await;
        assert!(reason.contains("closed by peer"), "{why}: {reason}");
    }
    stage.is_well().await;
    stage.acme.stop().await;
}

/// Whoever says a peer's name and announces manifests is nobody before its key stands in them: nothing is kept of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_leaves_no_manifest_behind() {
    let stage = stage().await;
    let own = TempDir::new().unwrap();
    let home = identity::init(own.path(), "Mallory", "mallory.example", vec![]).unwrap();
    for key in ["tls.key", "sign.key"] {
        let (_endpoint, connection) = connect(&key_of(own.path(), key), stage.at).await;
        let (mut control, mut answers) = connection.open_bi().await.unwrap();
        let Control::Hello { hello } = stage.hello() else { unreachable!() };
        let hello = Control::Hello { hello: Hello { revision: 1, ..hello } };
        send(&mut control, &[[1].as_slice(), &frame(&cbor::encode(&hello))].concat()).await;
        assert!(matches!(receive::<Control>(&mut answers).await, Control::Hello { .. }));
        let chain = Control::Manifests { chain: home.chain.clone() };
        send(&mut control, &frame(&cbor::encode(&chain))).await;
        let reason = closed(&connection).await;
        assert!(reason.contains("key of the connection"), "{reason}");
        assert!(!stage.acme.handle.snapshot().state.homes.contains_key(&home.id), "nothing is kept");
    }
    stage.is_well().await;
    stage.acme.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_sends_garbage_loses_its_link_and_nothing_else() {
    let stage = stage().await;
    for bytes in [vec![255, 255, 255, 255], frame(&[0x9f, 0xff]), frame(&cbor::encode(&99_u64))] {
        let (_endpoint, connection, mut control, _answers) = stage.link().await;
        send(&mut control, &bytes).await;
        closed(&connection).await;
    }
    let (_endpoint, connection, _control, _answers) = stage.link().await;
    let mut endless = connection.open_bi().await.unwrap().0;
    send(&mut endless, &[3, 0, 7, 0xff, 0xff, 0]).await;
    let (mut wild, mut answer) = connection.open_bi().await.unwrap();
    send(&mut wild, &[4, 0xff, 0xff, 0xff, 0xff]).await;
    let ended = (answer.read_to_end(100).await, wild.stopped().await);
    assert!(ended.0.as_ref().is_ok_and(Vec::is_empty), "{ended:?} {:?}", connection.close_reason());
    assert!(connection.close_reason().is_none(), "one bad stream does not end the link");
    stage.is_well().await;
    stage.acme.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_cannot_speak_for_others() {
    let stage = stage().await;
    let (_endpoint, connection, mut control, mut answers) = stage.link().await;
    let (acme, globex) = (stage.acme.handle.me(), stage.globex);
    let (mut out, mut back) = connection.open_bi().await.unwrap();
    send(&mut out, &[3]).await;
    let sealed = Sealed {
        salt: Salt([1; 16]),
        body: Body { target: None, text: "x".into(), mentions: vec![] }.to_blob(),
    };
    let submission = |author: UserId| Submission {
        id: SubmissionId([2; 16]),
        thread: ThreadId([3; 32]),
        author,
        kind: EntryKind::Message,
        commitment: sealed.commitment(),
        time: Millis(0),
    };
    let bob = UserId::new(globex, [5; 16]);
    for (author, name) in [(UserId::new(acme, [4; 16]), "wrong-home"), (bob, "not-found")] {
        let signed = envelope::sign(submission(author), Some(acme), &stage.sign).bytes().clone();
        send(&mut out, &frame(&cbor::encode(&Submit::Post { signed, sealed: sealed.clone() }))).await;
        let SubmitAnswer::Refused { code, .. } = receive(&mut back).await else { panic!("not refused") };
        let expected =
            comity::protocol::command::RejectCode::ALL.iter().find(|code| code.name() == name).unwrap();
        assert_eq!(code, expected.code(), "{name}");
    }
    let off = false;
    let settings = Settings {
        name: "x".into(),
        externals: off,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
        open: off,
    };
    let event = Event {
        scope: None,
        incarnation: 0,
        epoch: 0,
        previous: Hash::ZERO,
        time: Millis(0),
        actor: bob,
        ops: vec![Op::CreateGroup { settings, nonce: Hash([1; 32]) }],
        extensions: Extensions::default(),
    };
    let by_another = envelope::sign(event, None, &SecretKey::from_seed(&[9; 32])).bytes().clone();
    let items = vec![cbor::encode(&Item::Event { event: by_another }).into(), Blob::from(vec![0xff])];
    let feed = FeedFrame { feed: FeedId([1; 16]), first: 1, items };
    send(&mut control, &frame(&cbor::encode(&Control::Feed { frame: feed }))).await;
    loop {
        if let Control::FeedAck { number, .. } = receive::<Control>(&mut answers).await {
            assert_eq!(number, 2, "bad rows are audited and passed over: they never stall a feed");
            break;
        }
    }
    let view = stage.acme.handle.snapshot();
    assert!(view.state.scopes.is_empty(), "nothing was taken in");
    let refused = view.audit(u64::MAX, 50, |line| line.act == "feed.refused").unwrap().records;
    assert_eq!(refused.len(), 2);
    stage.acme.stop().await;
}
