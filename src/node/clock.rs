//! The one place that reads the clock and the random source of the operating system.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{Boot, Millis};

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Now on the clock that runs through suspend.
#[must_use]
pub fn boot() -> Boot {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    Boot(seconds.unwrap_or(u64::MAX).saturating_mul(1000).saturating_add(nanos.unwrap_or(0) / 1_000_000))
}

/// 32 bytes from the operating system: a key, or the seed of one decision.
///
/// # Errors
/// The operating system has none; nothing may go on without.
pub fn seed() -> Result<[u8; 32], getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// A new bearer token: 32 random bytes as text.
///
/// # Errors
/// As [`seed`].
pub fn token() -> Result<String, getrandom::Error> {
    let text = data_encoding::BASE32_NOPAD.encode(&seed()?).to_lowercase();
    Ok(format!("comity_{text}"))
}
