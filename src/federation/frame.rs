//! Frames on a stream: a 4-byte length, then strict CBOR (spec 9.2).
//!
//! Duty: bounds before memory, coalesced writes. Never: reading on after a frame that is not well-formed.

use quinn::{RecvStream, SendStream};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncReadExt as _, BufReader};

use super::LinkError;
use crate::{
    limits,
    wire::{
        cbor,
        frames::{StreamKind, length_allowed},
    },
};

/// Bytes that one read takes from the stream.
const READ_BYTES: usize = 64 * 1024;

/// Reads frames of one stream.
pub(super) struct FrameReader {
    stream: BufReader<RecvStream>,
    most: usize,
}

/// Writes frames of one stream; nothing leaves before [`FrameWriter::flush`].
pub(super) struct FrameWriter {
    stream: SendStream,
    buffer: Vec<u8>,
}

fn transport(error: impl std::fmt::Display) -> LinkError {
    LinkError::Transport(error.to_string())
}

impl FrameReader {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream: BufReader::with_capacity(READ_BYTES, stream), most: limits::FRAME_BYTES }
    }

    /// A reader for somebody who is not known yet.
    pub(super) fn of_stranger(stream: RecvStream) -> Self {
        Self { most: limits::GREETING_BYTES, ..Self::new(stream) }
    }

    /// It is known who speaks.
    pub(super) fn known(self) -> Self {
        Self { most: limits::FRAME_BYTES, ..self }
    }

    /// The first byte of a stream.
    pub(super) async fn kind(&mut self) -> Result<StreamKind, LinkError> {
        let byte = self.stream.read_u8().await.map_err(transport)?;
        StreamKind::from_byte(byte)
            .ok_or_else(|| LinkError::Protocol(format!("there is no stream kind {byte}")))
    }

    /// The next frame; `None` after the last one. Not to be cancelled in between.
    pub(super) async fn next<T: Serialize + DeserializeOwned>(&mut self) -> Result<Option<T>, LinkError> {
        let length = match self.stream.read_u32().await {
            Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(transport(error)),
        };
        if !length_allowed(length) || length > self.most {
            return Err(LinkError::Protocol(format!("a frame of {length} bytes")));
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.map_err(transport)?;
        cbor::decode(&bytes).map(Some).map_err(|error| LinkError::Protocol(error.to_string()))
    }
}

impl FrameWriter {
    pub(super) fn new(stream: SendStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(super) fn begin(&mut self, kind: StreamKind) {
        self.buffer.push(kind.byte());
    }

    /// Adds a frame, and says how long it is.
    pub(super) fn push<T: Serialize>(&mut self, frame: &T) -> Result<usize, LinkError> {
        let bytes = cbor::encode(frame);
        let length = u32::try_from(bytes.len()).ok().filter(|_| length_allowed(bytes.len()));
        let length = length.ok_or_else(|| {
            LinkError::Transport(format!("a frame of {} bytes is too large to be sent", bytes.len()))
        })?;
        self.buffer.extend(length.to_be_bytes());
        self.buffer.extend(bytes);
        Ok(self.buffer.len())
    }

    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.buffer).await.map_err(transport)?;
        self.buffer.clear();
        Ok(())
    }

    /// Nothing follows.
    pub(super) fn finish(mut self) {
        if let Err(error) = self.stream.finish() {
            tracing::trace!(%error, "the stream was closed already");
        }
    }

    /// What is on the way may be dropped.
    pub(super) fn reset(&mut self) {
        self.buffer.clear();
        if let Err(error) = self.stream.reset(quinn::VarInt::from_u32(0)) {
            tracing::trace!(%error, "the stream was closed already");
        }
    }
}
