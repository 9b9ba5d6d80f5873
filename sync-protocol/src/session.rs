//! What both machines share: the queue of frames to send, and how a connection fails.

use std::collections::VecDeque;

use chart::ids::{DocumentId, PushId};

use crate::code::ErrorCode;
use crate::codec::{self, DecodeError, EncodeError};
use crate::message::{ErrorMessage, Message, kind};

/// Why a connection, or one question on it, could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What.
    pub code: ErrorCode,
    /// What, in one sentence for a person.
    pub sentence: String,
    /// Whether the connection is over.
    pub fatal: bool,
    /// When the other side asks to be tried again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The versions the other side speaks, if that is the trouble.
    pub versions: Vec<u16>,
    /// The document it is about, if it is about one.
    pub document: Option<DocumentId>,
    /// If the connection is over: the pushes without an answer, sent or not. They are to be pushed
    /// again on the next connection; doing so is safe.
    pub unanswered: Vec<PushId>,
}

impl Failure {
    /// A trouble that ends the connection.
    pub fn fatal(code: ErrorCode, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
            fatal: true,
            retry_after_ms: None,
            versions: Vec::new(),
            document: None,
            unanswered: Vec::new(),
        }
    }

    pub(crate) fn out_of_turn(what: &str) -> Self {
        Self::fatal(ErrorCode::OutOfTurn, format!("{what} came where the protocol does not allow it"))
    }

    pub(crate) fn told(error: ErrorMessage) -> Self {
        Self {
            code: error.code,
            sentence: error.sentence,
            fatal: error.fatal,
            retry_after_ms: error.retry_after_ms,
            versions: error.versions,
            document: error.document,
            unanswered: Vec::new(),
        }
    }

    pub(crate) fn to_message(&self) -> Message {
        Message::Error(ErrorMessage {
            code: self.code,
            sentence: self.sentence.clone(),
            fatal: self.fatal,
            retry_after_ms: self.retry_after_ms,
            versions: self.versions.clone(),
            document: self.document,
        })
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::fatal(error.code(), error.to_string())
    }
}

/// Why a message was not taken for sending. Nothing of it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection is over.
    #[error("the connection is over")]
    Closed,
    /// The other side has not been greeted yet.
    #[error("the other side has not been greeted yet")]
    NotOpen,
    /// Too much is waiting to be sent.
    #[error("{waiting_bytes} bytes are waiting to be sent already")]
    Full {
        /// How much.
        waiting_bytes: usize,
    },
    /// The message breaks a bound of the protocol.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Frames waiting to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether the other side reads packed frames.
    pub(crate) packs: bool,
}

impl Outgoing {
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), EncodeError> {
        let frame = codec::encode(message)?;
        let frame = if self.packs { codec::pack(frame) } else { frame };
        self.bytes = self.bytes.saturating_add(frame.len());
        self.frames.push_back(frame);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.len());
        Some(frame)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes `last` the only frame to be sent.
    pub(crate) fn replace_all(&mut self, last: &Message) {
        self.frames.clear();
        self.bytes = 0;
        // An error message keeps every bound; if it did not, closing without a word is still right.
        let _ = self.send(last);
    }
}

/// The optional ability to read packed frames, as greetings name it.
pub const FEATURE_PACKED: &str = "packed";

/// Reads a frame; a packed one only where both sides have said that they pack.
pub(crate) fn read(frame: &[u8], packs: bool) -> Result<Message, DecodeError> {
    if packs && frame.first() == Some(&codec::FORMAT_PACKED) {
        return codec::decode(&codec::unpack(frame)?);
    }
    codec::decode(frame)
}

/// What to do about a message whose body was not read.
pub(crate) enum Unread {
    Ignore,
    AnswerUnsupported,
    Fail(Failure),
}

pub(crate) fn judge_unread(number: u16) -> Unread {
    match number {
        optional if optional & kind::OPTIONAL != 0 => Unread::Ignore,
        kind::SCOPE_CHANGED => Unread::AnswerUnsupported,
        unknown => Unread::Fail(Failure::fatal(
            ErrorCode::UnknownMessage,
            format!("a message of kind {unknown} is not known to this version"),
        )),
    }
}

pub(crate) fn unsupported(number: u16) -> Failure {
    let sentence = format!("messages of kind {number} are not answered by this version");
    Failure { fatal: false, ..Failure::fatal(ErrorCode::Unsupported, sentence) }
}
