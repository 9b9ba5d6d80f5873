//! The numbers the protocol speaks in: errors, refusals, verdicts and their reasons.
//!
//! The tables are additive: a number never changes its meaning and is never used twice. A number this
//! version does not know is kept as it came.

/// Declares an open list of numbered words with its codec.
macro_rules! open_code {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A number this version does not know.
            Other(u16),
        }
        impl $name {
            /// The number on the wire.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Other(number) => number,
                }
            }
            /// The word of a number.
            pub const fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
            /// The name of the word in this version, `Other` if it has none.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                    Self::Other(_) => "Other",
                }
            }
            /// Every word this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    Self::Other(number) => write!(f, "code {number}"),
                    known => f.write_str(known.name()),
                }
            }
        }
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.u16(self.number())?.ok()
            }
        }
        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                d.u16().map(Self::from_number)
            }
        }
    };
}

open_code! {
    /// Why a connection, or one question on it, could not go on.
    ErrorCode {
        /// A frame could not be read.
        Malformed = 1,
        /// A frame is over the limit.
        FrameTooLarge = 2,
        /// The two sides share no version of the protocol.
        UnknownVersion = 3,
        /// A message came where the protocol does not allow it.
        OutOfTurn = 4,
        /// A message this version does not know and was told not to ignore.
        UnknownMessage = 5,
        /// The proof of the device does not hold.
        ProofRefused = 6,
        /// The device is not enrolled at this clinic.
        DeviceUnknown = 7,
        /// The device has been revoked.
        DeviceRevoked = 8,
        /// The person may not work here, or not from this device.
        PersonRefused = 9,
        /// The device is enrolled at another clinic.
        WrongClinic = 10,
        /// A scope that was asked for is not this person's.
        ScopeRefused = 11,
        /// The other side did not finish the greeting in time.
        HandshakeTimeout = 12,
        /// The other side fell silent.
        IdleTimeout = 13,
        /// A push was not answered in time.
        AnswerTimeout = 14,
        /// More was sent without an answer than the credit allows.
        OverCredit = 15,
        /// The server has too much to do; come back later.
        Busy = 16,
        /// The server is stopping.
        ShuttingDown = 17,
        /// The record cannot be written at the moment; reading goes on.
        ReadOnly = 18,
        /// The server failed; nothing that was receipted is lost.
        Internal = 19,
        /// The message is known and not offered by this peer.
        Unsupported = 20,
        /// The connection was lost (never on the wire: what a session tells its owner).
        ConnectionLost = 21,
        /// The document is not known, or not to be seen by this person.
        DocumentUnknown = 22,
        /// What was asked for is not there yet.
        NotYet = 23,
        /// The other side reads too slowly.
        SlowReader = 24,
    }
}

open_code! {
    /// Why a push, or one change of it, was turned away at the door.
    RefuseCode {
        /// Nothing is wrong with it: too much unjudged work waits; send it again later.
        Later = 1,
        /// The device's signature does not hold.
        BadSignature = 2,
        /// The device or person of the envelope is not known.
        AuthorUnknown = 3,
        /// The change's actor belongs to another device, person or document.
        ActorTaken = 4,
        /// The device must go on under a new actor.
        NewActor = 5,
        /// The bytes are not a change.
        ChangeMalformed = 6,
        /// A change is over the size limit.
        ChangeTooLarge = 7,
        /// A change is compressed, or not a plain change.
        ChangeNotPlain = 8,
        /// A change holds too many operations.
        TooManyOperations = 9,
        /// A change nests too deeply.
        TooDeep = 10,
        /// Too many changes in one push.
        TooManyChanges = 11,
        /// The push is over the size limit.
        PushTooLarge = 12,
        /// The changes of one push are by different people.
        MixedAuthors = 13,
        /// The heads are not those of the changes.
        HeadsMismatch = 14,
        /// The envelope's counter was used for other work.
        CounterReused = 15,
        /// The kind of document is not known here.
        KindUnknown = 16,
        /// The record cannot be written at the moment; send it again later.
        ReadOnly = 17,
        /// The server failed; send it again later.
        Internal = 18,
    }
}

open_code! {
    /// What became of changes at the origin.
    Outcome {
        /// Part of the note.
        Admitted = 1,
        /// Kept, not applied, until a supervisor decides.
        Held = 2,
        /// Kept as evidence, never applied.
        Rejected = 3,
    }
}

open_code! {
    /// Why changes are held or rejected.
    ReasonCode {
        /// No reason is needed: admitted.
        None = 0,
        /// Held: the device has been revoked.
        DeviceRevoked = 1,
        /// Held: the patient is no longer on this person's caseload.
        CaseloadMoved = 2,
        /// Held: this person's role may not write there.
        Role = 3,
        /// Rejected: the change had seen a signature and does more than amend.
        SignedFrozen = 4,
        /// Rejected: the change does not fit the document's structure.
        Structure = 5,
        /// Rejected: two changes claim the same place in one actor's work.
        Equivocation = 6,
        /// Follows a change that is held or rejected.
        DependsOn = 7,
        /// Rejected: over a limit.
        OverLimits = 8,
        /// Rejected: the document engine could not apply it.
        Unapplicable = 9,
        /// Rejected: it overwrites a version of a billing fact.
        VersionRewritten = 10,
        /// Rejected: its time or its numbering makes no sense.
        OutOfSequence = 11,
        /// Admitted: a supervisor released it.
        Released = 12,
        /// Held: what it builds on has not come.
        MissingDependency = 13,
        /// Held: judging it brought the server down; it waits for a person.
        NeedsAttention = 14,
        /// Rejected: a supervisor decided that held work is to be made again.
        Declined = 15,
        /// Rejected: the same work is part of the note already, as it was first or made again.
        MadeTwice = 16,
    }
}

open_code! {
    /// How a tablet's place in the log relates to the server's log.
    Standing {
        /// The log holds everything the tablet was told is safe.
        Continues = 0,
        /// The log does not hold it: take "safe" back, offer everything again, start the cursor over.
        Rewound = 1,
    }
}

open_code! {
    /// Which kind of document.
    DocumentKind {
        /// One session note.
        Visit = 1,
        /// One plan of care.
        Episode = 2,
    }
}

open_code! {
    /// What to send first.
    Priority {
        /// Everything, in the order of the log.
        All = 0,
        /// Today's visits first.
        Today = 1,
    }
}

open_code! {
    /// What kind of reference data a body is.
    ReferenceKind {
        /// Patients of the caseload.
        Patient = 1,
        /// Appointments.
        Appointment = 2,
        /// People.
        Person = 3,
        /// Payer profiles.
        Payer = 4,
        /// Clinic settings.
        Clinic = 5,
        /// The rulebook.
        Rulebook = 6,
    }
}

open_code! {
    /// Why a device may not go on.
    RevokeReason {
        /// The device was revoked.
        Device = 1,
        /// The person left or was locked.
        Person = 2,
        /// The device was replaced by another enrolment.
        Replaced = 3,
    }
}
