//! Identity on disk through the real binary: founding, running again, rotation, exposed keys.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

fn comity(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comity"))
        .arg("--json")
        .arg("--dir")
        .arg(dir)
        .args(args)
        .output()
        .unwrap()
}

fn shown(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const INIT: [&str; 5] = ["init", "--name", "Acme", "--domain", "Acme.example"];

/// spec 2.1, 2.3: the id is that of the genesis and stays through every rotation.
#[test]
fn the_id_outlives_every_key() {
    let dir = tempfile::tempdir().unwrap();
    let first = shown(&comity(dir.path(), &INIT));
    assert_eq!(first["domain"], "acme.example");
    assert_eq!(shown(&comity(dir.path(), &INIT)), first, "init is safe to run again");
    let key = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    for (revision, which, file) in [
        (1, "sign", "keys/sign.key"),
        (2, "tls", "keys/tls.key"),
        (3, "root", "root/root.key"),
        (4, "sign", "keys/sign.key"),
    ] {
        let before = key(file);
        let after = shown(&comity(dir.path(), &["rotate", which]));
        assert_eq!((&after["workspace"], &after["revision"]), (&first["workspace"], &revision.into()));
        assert_ne!(key(file), before);
        assert_eq!(fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let revoked = shown(&comity(dir.path(), &["rotate", "sign", "--revoke"]));
    assert_eq!(revoked["revision"], 5);
}

#[test]
fn mistakes_name_their_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], words: &str| {
        let output = comity(dir.path(), args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words), "{text}");
    };
    refused(&["show"], "comity init");
    refused(&["init", "--name", "", "--domain", "acme.example"], "name must have");
    shown(&comity(dir.path(), &INIT));
    refused(&["rotate", "tls", "--revoke"], "--revoke");
    let root = dir.path().join("root/root.key");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&["rotate", "tls"], "chmod 600");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&root, "nonsense").unwrap();
    refused(&["rotate", "tls"], "64 hexadecimal digits");
}
