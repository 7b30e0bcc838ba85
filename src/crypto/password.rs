//! Passwords: argon2id (RFC 9106), stored as PHC strings.
//!
//! Duty: hashing and checking, both slow on purpose: never on the loop. Never: a random source; the salt is an argument.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

/// The hash of a password: 19 MiB, two passes, one lane (OWASP's first choice for argon2id).
/// `None`: the password is longer than the algorithm takes.
#[must_use]
pub fn hash(password: &str, salt: [u8; 16]) -> Option<String> {
    let hashed: PasswordHash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hashed.to_string())
}

/// Whether the password is the one that was hashed. Takes as long for a wrong one.
#[must_use]
pub fn verify(password: &str, hashed: &str) -> bool {
    let parsed = PasswordHash::new(hashed);
    parsed.is_ok_and(|hashed| Argon2::default().verify_password(password.as_bytes(), &hashed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_password_is_right() {
        let hashed = hash("correct horse", [7; 16]).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify("correct horse", &hashed));
        assert!(!verify("correct horsf", &hashed));
        assert!(!verify("correct horse", "no hash at all"));
        assert_ne!(hashed, hash("correct horse", [8; 16]).unwrap());
    }
}
