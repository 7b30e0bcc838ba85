//! Families without state: CBOR, signatures, envelopes, ids, limits, error codes.

use comity::{
    crypto::{PublicKey, SecretKey},
    ids::{GroupId, InviteId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    limits,
    protocol::command::RejectCode,
    time::Millis,
    wire::{
        Body, EnvelopeError, cbor, envelope,
        objects::{Statement, Word},
    },
};
use serde_json::{Value, json};

use super::{hex, key};

/// Name of the error to byte strings that have it.
const INVALID: [(&str, &[&str]); 12] = [
    (
        "cbor-truncated",
        &["", "18", "1900", "1a000000", "1b00000000000000", "41", "6261", "81", "8201", "a1", "a100", "5818"],
    ),
    ("cbor-trailing", &["0000", "8000", "f6f6", "4000"]),
    (
        "cbor-not-shortest",
        &[
            "1800",
            "1817",
            "190000",
            "1900ff",
            "1a00000000",
            "1a0000ffff",
            "1b0000000000000000",
            "1b00000000ffffffff",
            "5800",
            "580141",
            "590001aa",
            "7800",
            "780161",
            "9800",
            "980100",
            "b800",
            "3800",
            "3817",
            "390000",
        ],
    ),
    ("cbor-indefinite", &["5f4100ff", "7f6100ff", "9fff", "9f00ff", "bfff", "ff"]),
    ("cbor-tag", &["c000", "c11a00000000", "d81800", "d9d9f700", "d28443a10126a04040"]),
    ("cbor-simple", &["f0", "f7", "f820", "f93c00", "fa3f800000", "fb3ff0000000000000", "e0"]),
    ("cbor-reserved", &["1c", "1d", "1e", "3c", "5c", "7c", "9c", "bc", "dc", "fc"]),
    ("cbor-key", &["a1616100", "a12000", "a14000", "a18000", "a1f600", "a1f500"]),
    ("cbor-key-order", &["a201000000", "a200000000", "a3000002000100"]),
    ("cbor-utf8", &["61ff", "62c328", "63eda080", "62c080"]),
    (
        "cbor-depth",
        &["8181818181818181818181818100", "a100a100a100a100a100a100a100a100a100a100a100a100a10000"],
    ),
    ("cbor-items", &[]),
];
const VALID: [&str; 20] = [
    "00",
    "17",
    "1818",
    "18ff",
    "190100",
    "1a00010000",
    "1b0000000100000000",
    "1bffffffffffffffff",
    "20",
    "3818",
    "40",
    "4100",
    "60",
    "6161",
    "80",
    "820102",
    "a0",
    "a2000018ff01",
    "f4",
    "83f4f5f6",
];

/// Strict deterministic CBOR (spec 3.1).
pub fn cbor() -> Value {
    let mut cases = Vec::new();
    let mut case = |bytes: Vec<u8>, shown: Value, expect: &str| {
        let found = cbor::check(&bytes).map_or_else(|error| error.name(), |()| "ok");
        assert_eq!(found, expect, "{shown}");
        cases.push(json!({ "bytes": shown, "expect": expect }));
    };
    for text in VALID {
        case(unhex(text), json!(text), "ok");
    }
    for (name, texts) in INVALID {
        for text in texts {
            case(unhex(text), json!(text), name);
        }
    }
    for (head, count, expect) in
        [("9a000493df", limits::CBOR_ITEMS - 1, "ok"), ("9a000493e0", limits::CBOR_ITEMS, "cbor-items")]
    {
        let bytes = [unhex(head), vec![0; count]].concat();
        case(bytes, json!({ "head": head, "repeat": "00", "times": count }), expect);
    }
    json!({ "about": "spec 3.1: whether bytes are one item of strict deterministic CBOR", "cases": cases })
}

fn unhex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// Signatures by the strict rules (spec 3.5).
pub fn ed25519() -> Value {
    let (signer, message) = (key("signer"), b"comity".as_slice());
    let good = signer.sign(message);
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut malleable = good;
    add(&mut malleable[32..], &order);
    let mut flipped = good;
    flipped[0] ^= 1;
    let identity = unhex("0100000000000000000000000000000000000000000000000000000000000000");
    let mut small_order = [0; 64];
    small_order[..32].copy_from_slice(&identity);
    let small_key = PublicKey(identity.try_into().unwrap());
    let all = [
        ("good", signer.public(), message, good, true),
        ("another message", signer.public(), b"comitY", good, false),
        ("one bit of R is flipped", signer.public(), message, flipped, false),
        ("S plus the group order: the same point, not canonical", signer.public(), message, malleable, false),
        ("another key", key("other").public(), message, good, false),
        (
            "a key of small order accepts everything under the loose rules",
            small_key,
            message,
            small_order,
            false,
        ),
        ("all zero", signer.public(), message, [0; 64], false),
    ];
    let cases = all.map(|(why, public, message, signature, holds)| {
        assert_eq!(public.verifies(message, &signature), holds, "{why}");
        let expect = if holds { "ok" } else { "envelope-signature" };
        json!({ "why": why, "key": hex(&public.0), "message": hex(message), "signature": hex(&signature), "expect": expect })
    });
    json!({ "about": "spec 3.5: Ed25519 by the strict rules", "cases": cases })
}

/// Adds little-endian numbers.
fn add(number: &mut [u8], other: &[u8]) {
    let mut carry = 0;
    for (a, b) in number.iter_mut().zip(other) {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        *a = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
}

fn statement() -> Statement {
    Statement { word: Word::EndPeering {}, time: Millis(1_700_000_000_000) }
}

/// An envelope around any payload, for those that the types would not let through.
fn raw(header: &[u8], kind: u64, audience: Option<WorkspaceId>, payload: &[u8], by: &SecretKey) -> Vec<u8> {
    let bytes = serde_bytes::Bytes::new;
    let aad = cbor::encode(&("comity", 1, kind, audience));
    let message = cbor::encode(&("Signature1", bytes(header), bytes(&aad), bytes(payload)));
    let mut out = vec![0x84];
    out.extend(cbor::encode(&bytes(header)));
    out.push(0xa0);
    out.extend(cbor::encode(&bytes(payload)));
    out.extend(cbor::encode(&bytes(&by.sign(&message))));
    out
}

fn header(by: &SecretKey) -> Vec<u8> {
    let mut header = unhex("a201320448");
    header.extend(by.public().id().0);
    header
}

/// The frozen COSE_Sign1 profile (spec 3.3 to 3.6).
pub fn envelopes() -> Value {
    let (by, audience) = (key("signer"), WorkspaceId([7; 32]));
    let signed = envelope::sign(statement(), Some(audience), &by);
    let good = signed.bytes().to_vec();
    let payload = cbor::encode(&statement());
    let other = WorkspaceId([8; 32]);
    let edit = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let trailing = [good.as_slice(), &[0]].concat();
    let tagged = [[0xd2].as_slice(), &good].concat();
    let ecdsa = [unhex("a201260448").as_slice(), &by.public().id().0].concat();
    let unprotected = [&good[..15], &unhex("a10400"), &good[16..]].concat();
    let as_is = |bytes: &[u8]| raw(&header(&by), 10, Some(audience), bytes, &by);
    let surplus = unhex("8381031b0000018bcfe5680000");
    let large = raw(
        &header(&by),
        10,
        Some(audience),
        &cbor::encode(&serde_bytes::Bytes::new(&vec![0; limits::OBJECT_BYTES])),
        &by,
    );
    let stranger = envelope::sign(statement(), Some(audience), &key("other")).bytes().to_vec();
    let wrong_type = raw(&header(&by), 12, Some(audience), &payload, &by);
    let for_other = envelope::sign(statement(), Some(other), &by).bytes().to_vec();
    let last = good.len() - 1;
    let all = [
        ("a statement", good.clone(), "ok"),
        ("one bit of the signature is flipped", edit(last, good[last] ^ 1), "envelope-signature"),
        ("for another audience", for_other, "envelope-signature"),
        ("signed as another type", wrong_type, "envelope-signature"),
        ("a key that is not the signer's", stranger, "envelope-key"),
        ("algorithm -7 in the header", raw(&ecdsa, 10, Some(audience), &payload, &by), "envelope-header"),
        ("something in the unprotected header", unprotected, "cbor-shape"),
        ("tagged 18", tagged, "cbor-tag"),
        ("bytes after the object", trailing, "cbor-trailing"),
        (
            "the outer array in a longer form",
            [unhex("9804").as_slice(), &good[1..]].concat(),
            "cbor-not-shortest",
        ),
        ("a payload that is no statement", as_is(&unhex("00")), "cbor-shape"),
        ("a payload with a surplus field", as_is(&surplus), "cbor-shape"),
        ("a payload that is not in shortest form", as_is(&unhex("82810318ff00")), "cbor-trailing"),
        ("larger than a signed object may be", large, "object-size"),
        ("nothing", vec![], "cbor-truncated"),
    ];
    let cases = all.map(|(why, bytes, expect)| {
        let found = envelope::open::<Statement>(&bytes.clone().into(), Some(audience), |hint| {
            (by.public().id() == hint).then(|| by.public())
        });
        let name = found.as_ref().map_or_else(EnvelopeError::name, |_| "ok");
        assert_eq!(name, expect, "{why}");
        let hash = found.ok().map(|object| hex(&object.hash().0));
        let shown = if bytes.len() > 10_000 { json!({ "length": bytes.len() }) } else { json!(hex(&bytes)) };
        json!({ "why": why, "bytes": shown, "expect": expect, "hash": hash })
    });
    json!({
        "about": "spec 3.3 to 3.6: envelopes of type 10 for this audience by this key", "type": 10,
        "audience": hex(&audience.0), "key": hex(&by.public().0), "payload": hex(&payload), "cases": cases,
    })
}

/// Ids as bytes and as text (spec 2.1).
pub fn ids() -> Value {
    let bytes: [u8; 48] = std::array::from_fn(|at| u8::try_from(at * 5).unwrap());
    let half: [u8; 32] = bytes[..32].try_into().unwrap();
    let short: [u8; 16] = bytes[..16].try_into().unwrap();
    let case =
        |kind: &str, text: String, wire: Vec<u8>| json!({ "kind": kind, "text": text, "cbor": hex(&wire) });
    let cases = [
        case("workspace", WorkspaceId(half).to_string(), cbor::encode(&WorkspaceId(half))),
        case("user", UserId(bytes).to_string(), cbor::encode(&UserId(bytes))),
        case("group", GroupId(half).to_string(), cbor::encode(&GroupId(half))),
        case("thread", ThreadId(half).to_string(), cbor::encode(&ThreadId(half))),
        case("scope", GroupId(half).to_string(), cbor::encode(&ScopeId::from(GroupId(half)))),
        case("scope", ThreadId(half).to_string(), cbor::encode(&ScopeId::from(ThreadId(half)))),
        case("submission", SubmissionId(short).to_string(), cbor::encode(&SubmissionId(short))),
        case("invitation", InviteId(short).to_string(), cbor::encode(&InviteId(short))),
    ];
    let bad = ["", "ws", "ws_", "us_aaaa", "gr-aaaa", "th_AAAA", "ws_1"];
    for text in bad {
        assert!(text.parse::<WorkspaceId>().is_err() && text.parse::<ThreadId>().is_err(), "{text}");
    }
    json!({ "about": "spec 2.1: ids as text and on the wire", "cases": cases, "not_ids": bad })
}

/// Bounds of bodies: n and n + 1 (spec 1.6).
pub fn limits() -> Value {
    let body = |text: usize, mentions: usize| Body {
        target: None,
        text: "x".repeat(text),
        mentions: vec![UserId([3; 48]); mentions],
    };
    let all = [
        ("text", limits::TEXT_BYTES, body(limits::TEXT_BYTES, 0), true),
        ("text", limits::TEXT_BYTES + 1, body(limits::TEXT_BYTES + 1, 0), false),
        ("mentions", limits::MENTIONS, body(1, limits::MENTIONS), true),
        ("mentions", limits::MENTIONS + 1, body(1, limits::MENTIONS + 1), false),
    ];
    let cases = all.map(|(what, size, body, fits)| {
        assert_eq!(Body::parse(&body.to_blob()).is_ok(), fits, "{what} {size}");
        json!({ "what": what, "size": size, "encoded": body.to_blob().len(), "expect": if fits { "ok" } else { "too-large" } })
    });
    let numbers = json!({
        "frame": limits::FRAME_BYTES, "object": limits::OBJECT_BYTES, "depth": limits::CBOR_DEPTH,
        "items": limits::CBOR_ITEMS, "text": limits::TEXT_BYTES, "body": limits::BODY_BYTES,
        "mentions": limits::MENTIONS, "name": limits::NAME_BYTES, "address": limits::ADDRESS_BYTES,
        "operations": limits::OPS_PER_EVENT, "page": limits::PAGE_ENTRIES,
    });
    json!({ "about": "spec 1.6: limits, and bodies at and beyond them", "limits": numbers, "cases": cases })
}

/// Refusals with their retry class (spec 9.9).
pub fn errors() -> Value {
    let cases: Vec<Value> = RejectCode::ALL
        .iter()
        .map(|code| {
            let retry = match code {
                RejectCode::PeerInactive | RejectCode::Quota => "later",
                RejectCode::Stale => "after catching up",
                RejectCode::FeedGap => "after a comparison",
                _ => "never",
            };
            json!({ "code": code.code(), "name": code.name(), "retry": retry })
        })
        .collect();
    json!({ "about": "spec 9.9: codes of refusals", "cases": cases })
}
