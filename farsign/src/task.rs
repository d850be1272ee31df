//! The types shared by server and volunteer: run settings, tasks, and the reasons of a rejection or a close.
//!
//! A task contains everything that its update depends on. The volunteer chooses nothing.

use std::fmt;

use crate::direction::DirectionSpec;
use crate::estimate::Order;
use crate::model::Architecture;
use crate::version::VersionHash;

/// The number of a volunteer's session, unique within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolunteerId(pub u64);

/// The number of a task, unique within a run: the number of its volunteer, then its own number among the volunteer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

impl TaskId {
    /// Bits of the number among the volunteer's tasks.
    const NUMBER_BITS: u32 = 24;

    /// Largest number among a volunteer's tasks: about two days of a hundred tasks a second.
    pub const MAX_NUMBER: u64 = (1 << Self::NUMBER_BITS) - 1;

    /// Creates the id of a volunteer's task `number`, from 1 to [`TaskId::MAX_NUMBER`].
    pub fn new(volunteer: VolunteerId, number: u64) -> Self {
        debug_assert!((1..=Self::MAX_NUMBER).contains(&number));
        Self(volunteer.0 << Self::NUMBER_BITS | number)
    }

    /// Returns the volunteer of the task.
    pub fn volunteer(self) -> VolunteerId {
        VolunteerId(self.0 >> Self::NUMBER_BITS)
    }

    /// Returns the number among the volunteer's tasks.
    pub fn number(self) -> u64 {
        self.0 & Self::MAX_NUMBER
    }
}

/// A secret of 128 random bits that a volunteer generates to prove its identity in later sessions.
///
/// Possession is the only proof, so [`Debug`](fmt::Debug) does not print it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The settings of a run, equal for all its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSettings {
    /// Random number of the run.
    pub run_id: u64,
    /// Architecture of the model; its input width is the number of pixels of an image.
    pub architecture: Architecture,
    /// Order of the estimator.
    pub order: Order,
    /// Directions of a task; `d` is that of the architecture.
    pub directions: DirectionSpec,
    /// Number of images of the smallest task, 1 to 65,536: the configured minibatch.
    pub batch: u32,
    /// Fast step size `beta`, in `(0, 1]`.
    pub beta: f32,
    /// Time before an open task times out and its session ends, in milliseconds.
    pub task_timeout_ms: u32,
    /// Digest of the training data: that of the list of its shards.
    pub train_digest: [u8; 32],
}

/// The size of a task: what it draws, and from how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSize {
    /// Number of images, 1 to 65,536.
    pub images: u32,
    /// Number of shards of the training data, 1 to 1,024: the first ones in the list.
    pub shards: u16,
}

/// A task: the input of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Number of the task.
    pub id: TaskId,
    /// Name of the version at which the update is computed.
    pub version: VersionHash,
    /// Seed of the minibatch `xi`.
    pub minibatch_seed: u64,
    /// Seed of the directions `A`.
    pub direction_seed: u64,
    /// Seed of the coins that replace the sign of zero.
    pub coin_seed: u64,
    /// Number of images of the minibatch, 1 to 65,536: the first ones that its seed draws.
    pub images: u32,
    /// Number of shards that they are drawn from, 1 to 1,024: the first ones in the list.
    pub shards: u16,
    /// Whether momentum is reset before the task.
    pub reset_momentum: bool,
}

/// Declares an enum whose variants have a wire code, a label for counters, and a text for people.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $label:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All reasons.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the wire code.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code),* }
            }

            /// Returns the reason of a wire code; `None` if the code is unknown.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// Returns the label in counters and logs.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text),* })
            }
        }
    };
}

reasons! {
    /// A reason for rejecting an update. The session continues.
    RejectReason {
        /// The task was never issued, or its record was discarded.
        UnknownTask = 1, "unknown_task", "no such task";
        /// The task already has its update.
        DuplicateUpdate = 2, "duplicate_update", "this task already has its update";
        /// The task belongs to another session.
        NotYourTask = 3, "not_your_task", "this task belongs to another session";
        /// The task timed out.
        TaskTimedOut = 4, "task_timed_out", "this task has timed out";
        /// The number of sign bits is not that of the run.
        WrongBitCount = 5, "wrong_bit_count", "the update has the wrong number of sign bits";
        /// A bit after the last sign is set.
        SpareBitsSet = 6, "spare_bits_set", "a bit after the last sign is set";
        /// The run finished before the update was received.
        RunFinished = 7, "run_finished", "the run finished before this update was received";
        /// The step could take a parameter out of the range of its integer.
        OutOfRange = 8, "out_of_range", "the update could take a parameter out of its range";
        /// The volunteer requested the version of the task, and gets another task.
        VersionMissing = 9, "version_missing", "the volunteer did not have the version of this task";
        /// An earlier task of the session has no update yet.
        OutOfOrder = 10, "out_of_order", "an earlier task of this session has no update yet";
    }
}

reasons! {
    /// A reason for closing a session.
    GoodbyeReason {
        /// The frame has an unsupported protocol version.
        UnsupportedVersion = 1, "unsupported_version", "this volunteer uses another protocol version; reload the page or update the program";
        /// The frame is malformed.
        Malformed = 2, "malformed_frame", "a frame from this volunteer was malformed";
        /// The frame exceeds the size limit.
        Oversize = 3, "oversize_frame", "a frame from this volunteer was too large";
        /// Too many consecutive updates were rejected.
        TooManyRejects = 4, "too_many_rejects", "too many updates in a row were rejected";
        /// A task timed out.
        TaskTimeout = 5, "task_timeout", "no update was received before the task timed out";
        /// The run is finished.
        RunFinished = 6, "run_finished", "the run is finished";
        /// The limit of volunteers is reached.
        ServerFull = 7, "server_full", "the server is full";
        /// The server is shutting down.
        ShuttingDown = 8, "shutting_down", "the server is shutting down";
        /// The volunteer did not read in time.
        SlowReader = 9, "slow_reader", "this volunteer reads too slowly";
        /// The first frame was not a hello, or it timed out.
        HelloMissing = 10, "hello_missing", "the session did not begin with a hello";
        /// An update failed verification.
        FailedVerification = 11, "failed_verification", "an update from this volunteer failed verification";
        /// The rate limit of joins from the volunteer's address is reached.
        TooManyJoins = 12, "too_many_joins", "too many volunteers have joined from this address in the last minute";
        /// The limit of volunteers from the address is reached.
        AddressFull = 13, "address_full", "too many volunteers from this address";
        /// The volunteer or its address is banned.
        Banned = 14, "banned", "this volunteer is banned from the server";
        /// The join token is missing or wrong.
        InvalidToken = 15, "invalid_token", "this server requires a join token, and it was missing or wrong";
        /// The same volunteer opened another session.
        SessionReplaced = 16, "session_replaced", "another session of this volunteer replaced this one";
        /// The operator paused the run.
        Paused = 17, "paused", "training is paused by the operator";
        /// The operator ejected the volunteer.
        EjectedByOperator = 18, "ejected_by_operator", "the operator ejected this volunteer";
        /// The volunteer sent too many pings.
        TooManyPings = 19, "too_many_pings", "too many pings from this volunteer";
        /// The volunteer reported no shard, or more than the training data has.
        InvalidShards = 20, "invalid_shards", "this volunteer reported shards that the training data does not have";
    }
}

/// The last record of a session, sent by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// Reason of the close.
    pub reason: GoodbyeReason,
    /// Delay before a reconnect, in milliseconds. `None` if the volunteer should not reconnect.
    pub retry_after_ms: Option<u32>,
}
