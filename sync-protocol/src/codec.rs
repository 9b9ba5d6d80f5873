//! Bytes to messages and back. Total: any bytes give a message or a reason, in bounded memory.
//!
//! A frame is one format byte, then the CBOR array `[kind, body]`. Before anything is built, the
//! frame is skimmed ([`skim`]): it must be one well-formed item of definite lengths, not too deep, with
//! a bounded number of items. Lists are bounded and grown as they are read. So a hostile frame can make
//! the decoder allocate about twice its own size and one megabyte, whatever it claims.

mod pack;
mod skim;

use minicbor::encode::Write;
use minicbor::{Decoder, Encode, Encoder};

pub use self::pack::{FORMAT_PACKED, pack, unpack};
use crate::code::ErrorCode;
use crate::field::{put_kind, take_body, take_kind};
use crate::limits;
use crate::message::{FeedEntry, Message, kind};

/// The format byte every frame begins with.
pub const FORMAT: u8 = 1;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame is over the limit.
    #[error("a frame of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The frame is in a format this version does not read.
    #[error("the frame has format {0}, this version reads format 1")]
    Format(u8),
    /// The frame is not well formed, or not the message it says it is.
    #[error("the frame cannot be read: {0}")]
    Malformed(String),
}

impl DecodeError {
    /// The code under which the other side is told.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::FrameTooLarge,
            Self::Format(_) => ErrorCode::UnknownVersion,
            Self::Malformed(_) => ErrorCode::Malformed,
        }
    }
}

impl From<minicbor::decode::Error> for DecodeError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Why a message cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It would be over the frame limit.
    #[error("a {name} of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// The message.
        name: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It breaks another bound of the protocol, such as the length of a list.
    #[error("a {name} breaks a bound: {reason}")]
    Bounds {
        /// The message.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a frame. A message of reserved or unknown kind comes back as [`Message::Unread`].
pub fn decode(frame: &[u8]) -> Result<Message, DecodeError> {
    if frame.len() > limits::FRAME_BYTES_MAX {
        return Err(DecodeError::TooLarge { bytes: frame.len(), limit: limits::FRAME_BYTES_MAX });
    }
    let (&format, body) = frame.split_first().ok_or_else(|| malformed("it is empty"))?;
    if format != FORMAT {
        return Err(DecodeError::Format(format));
    }
    skim::skim(body).map_err(|fault| malformed(fault.sentence()))?;
    let mut decoder = Decoder::new(body);
    let (kind, rest) = take_kind(&mut decoder)?;
    decode_body(kind, &mut decoder, rest)
}

fn decode_body(kind: u16, d: &mut Decoder<'_>, rest: u64) -> Result<Message, DecodeError> {
    Ok(match kind {
        kind::CHALLENGE => Message::Challenge(take_body(d, rest)?),
        kind::HELLO => Message::Hello(Box::new(take_body(d, rest)?)),
        kind::WELCOME => Message::Welcome(Box::new(take_body(d, rest)?)),
        kind::PUSH => Message::Push(take_body(d, rest)?),
        kind::RECEIPT => Message::Receipt(take_body(d, rest)?),
        kind::REFUSE => Message::Refuse(take_body(d, rest)?),
        kind::VERDICT => Message::Verdict(take_body(d, rest)?),
        kind::PULL => Message::Pull(take_body(d, rest)?),
        kind::PAGE => Message::Page(take_body(d, rest)?),
        kind::NEED => Message::Need(take_body(d, rest)?),
        kind::SUPPLY => Message::Supply(take_body(d, rest)?),
        kind::FETCH_REPORT => Message::FetchReport(take_body(d, rest)?),
        kind::REPORT_BODY => Message::ReportBody(take_body(d, rest)?),
        kind::ERROR => Message::Error(take_body(d, rest)?),
        kind::REVOKED => Message::Revoked(take_body(d, rest)?),
        kind::DIGEST => Message::Digest(take_body(d, rest)?),
        kind::DIGEST_DIFF => Message::DigestDiff(take_body(d, rest)?),
        kind => Message::Unread { kind },
    })
}

/// Writes a message as a frame that every peer of this version will read.
pub fn encode(message: &Message) -> Result<Vec<u8>, EncodeError> {
    let mut frame = vec![FORMAT];
    write(message, &mut Encoder::new(&mut frame))
        .map_err(|error| EncodeError::Bounds { name: message.name(), reason: error.to_string() })?;
    if frame.len() > limits::FRAME_BYTES_MAX {
        let (bytes, limit) = (frame.len(), limits::FRAME_BYTES_MAX);
        return Err(EncodeError::TooLarge { name: message.name(), bytes, limit });
    }
    skim::skim(frame.get(1..).unwrap_or_default())
        .map_err(|fault| EncodeError::Bounds { name: message.name(), reason: fault.sentence().to_owned() })?;
    Ok(frame)
}

fn write<W: Write>(message: &Message, e: &mut Encoder<W>) -> Result<(), minicbor::encode::Error<W::Error>> {
    let kind = message.kind();
    match message {
        Message::Challenge(body) => put_kind(e, kind, body),
        Message::Hello(body) => put_kind(e, kind, &**body),
        Message::Welcome(body) => put_kind(e, kind, &**body),
        Message::Push(body) => put_kind(e, kind, body),
        Message::Receipt(body) => put_kind(e, kind, body),
        Message::Refuse(body) => put_kind(e, kind, body),
        Message::Verdict(body) => put_kind(e, kind, body),
        Message::Pull(body) => put_kind(e, kind, body),
        Message::Page(body) => put_kind(e, kind, body),
        Message::Need(body) => put_kind(e, kind, body),
        Message::Supply(body) => put_kind(e, kind, body),
        Message::FetchReport(body) => put_kind(e, kind, body),
        Message::ReportBody(body) => put_kind(e, kind, body),
        Message::Error(body) => put_kind(e, kind, body),
        Message::Revoked(body) => put_kind(e, kind, body),
        Message::Digest(body) => put_kind(e, kind, body),
        Message::DigestDiff(body) => put_kind(e, kind, body),
        Message::Unread { kind } => e.array(1)?.u16(*kind)?.ok(),
    }
}

/// How many bytes an entry takes in a page: what an owner needs to fill one.
pub fn entry_bytes(entry: &FeedEntry) -> usize {
    let mut count = Counting(0);
    // A counting writer never fails, and an entry that breaks a bound is found when it is sent.
    let _ = entry.encode(&mut Encoder::new(&mut count), &mut ());
    count.0
}

struct Counting(usize);

impl Write for Counting {
    type Error = std::convert::Infallible;
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed(reason.to_owned())
}
