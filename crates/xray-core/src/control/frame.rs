//! One frame: a 32-bit little-endian length, and that many bytes of JSON.
//!
//! Nothing is believed: the length is checked before a byte of the body is kept, and memory grows with what arrives,
//! not with what was announced.

use super::protocol::MAX_FRAME_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest request an agent accepts, in bytes: names and patterns, never more. Replies may be [`MAX_FRAME_BYTES`].
pub const MAX_REQUEST_BYTES: u32 = 64 << 10;

/// Bytes of the length.
const PREFIX: usize = 4;

/// Why bytes are not a frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than this side accepts.
    #[error("a message of {length} bytes is longer than the {limit} bytes allowed")]
    TooLong {
        /// As announced.
        length: u64,
        /// What is accepted.
        limit: u32,
    },
    /// Not JSON, or not a message of this protocol.
    #[error("not a message of xray's protocol: {0}")]
    Content(String),
}

/// The bytes of one message.
///
/// # Errors
/// [`FrameError::TooLong`] over [`MAX_FRAME_BYTES`]; [`FrameError::Content`] for what JSON cannot say.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; PREFIX];
    serde_json::to_writer(&mut bytes, message).map_err(|e| FrameError::Content(e.to_string()))?;
    let length = bytes.len() - PREFIX;
    match u32::try_from(length) {
        Ok(short) if short <= MAX_FRAME_BYTES => {
            bytes[..PREFIX].copy_from_slice(&short.to_le_bytes());
            Ok(bytes)
        }
        _ => Err(FrameError::TooLong { length: length as u64, limit: MAX_FRAME_BYTES }),
    }
}

/// Collects bytes as they come and gives out whole messages.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    limit: u32,
}

impl FrameBuffer {
    /// Accepts messages of at most `limit` bytes.
    pub fn new(limit: u32) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// Adds what arrived. Call [`Self::take`] until it gives `None` before adding more.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// True between messages: no part of one is waiting.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next whole message, `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is of no use after it.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(prefix) = self.bytes.first_chunk::<PREFIX>() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix);
        if length > self.limit {
            return Err(FrameError::TooLong { length: u64::from(length), limit: self.limit });
        }
        let end = PREFIX + length as usize;
        let Some(body) = self.bytes.get(PREFIX..end) else { return Ok(None) };
        let message = serde_json::from_slice(body).map_err(|e| FrameError::Content(e.to_string()))?;
        self.bytes.drain(..end);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::Request;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_cut_of_the_stream_gives_the_same_messages(
            names in prop::collection::vec(".{0,40}", 1..5),
            cut in 1_usize..64,
        ) {
            let sent: Vec<_> = names.into_iter().map(|given| Request::Resolve { given }).collect();
            let stream: Vec<u8> = sent.iter().flat_map(|r| encode(r).unwrap()).collect();
            let mut buffer = FrameBuffer::new(MAX_REQUEST_BYTES);
            let mut received: Vec<Request> = Vec::new();
            for chunk in stream.chunks(cut) {
                buffer.extend(chunk);
                while let Some(request) = buffer.take().unwrap() {
                    received.push(request);
                }
            }
            prop_assert_eq!(received, sent);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn garbage_is_an_error_or_waits_for_more(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = FrameBuffer::new(64);
            buffer.extend(&bytes);
            while let Ok(Some(_)) = buffer.take::<Request>() {}
        }
    }

    #[test]
    fn a_huge_length_is_refused_by_its_four_bytes() {
        let mut buffer = FrameBuffer::new(MAX_REQUEST_BYTES);
        buffer.extend(&u32::MAX.to_le_bytes());
        let refused = buffer.take::<Request>().unwrap_err();
        assert_eq!(refused, FrameError::TooLong { length: u64::from(u32::MAX), limit: MAX_REQUEST_BYTES });
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_stack_overflow() {
        let body = "[".repeat(60_000);
        let mut buffer = FrameBuffer::new(MAX_REQUEST_BYTES);
        buffer.extend(&(body.len() as u32).to_le_bytes());
        buffer.extend(body.as_bytes());
        assert!(matches!(buffer.take::<Request>(), Err(FrameError::Content(_))));
    }
}
