//! The committed vectors are what the code makes: every expectation in them is asserted on the way (spec 3 to 7, 9.9).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test stops at the first surprise, and shares files with the example"
)]

#[path = "../examples/vectors/families.rs"]
mod families;

#[test]
fn the_committed_vectors_are_what_the_code_makes() {
    for (path, text) in families::files() {
        let held = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            held == text,
            "{} differs: run `cargo run --example vectors` and read the change",
            path.display()
        );
    }
}
