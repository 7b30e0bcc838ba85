//! Key files: 64 hexadecimal digits, readable by their owner alone.
//!
//! Duty: making and reading them. Never: reading a file that others can read, showing what is in it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::crypto::SecretKey;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system refuses.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// Group or others can read or write it.
    #[error("{0} can be read by others: run `chmod 600` on it, and rotate the key if it was exposed")]
    Exposed(PathBuf),
    /// Not 64 hexadecimal digits.
    #[error("{0} is no key file: it must hold 64 hexadecimal digits; restore it from a backup")]
    Malformed(PathBuf),
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |cause| KeyFileError::Io { path, cause }
}

/// Writes a new key file with mode 0600; an existing file is never overwritten.
///
/// # Errors
/// The file exists, or the file system refuses.
pub fn create(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io(folder))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(io(folder))?;
    }
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io(path))?;
    let text = Zeroizing::new(data_encoding::HEXLOWER.encode(&*key.seed()));
    writeln!(file, "{}", *text).and_then(|()| file.sync_all()).map_err(io(path))
}

/// Reads a key file.
///
/// # Errors
/// It is missing, readable by others, or holds something else.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let mode = fs::metadata(path).map_err(io(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed(path.to_owned()));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(io(path))?);
    let seed = data_encoding::HEXLOWER.decode(text.trim().as_bytes()).ok().map(Zeroizing::new);
    let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok()).map(Zeroizing::new);
    let seed = seed.ok_or_else(|| KeyFileError::Malformed(path.to_owned()))?;
    Ok(SecretKey::from_seed(&seed))
}
