//! What the server and a volunteer agree on: the run's settings, tasks, and the reasons for a refusal.
//!
//! A task carries everything its answer depends on. The volunteer chooses nothing.

use std::fmt;

use crate::direction::DirectionSpec;
use crate::estimate::Order;
use crate::model::Architecture;

/// A volunteer's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolunteerId(pub u64);

/// A task, unique within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// What a volunteer proves with that it is the same as before: 128 random bits that it makes and keeps. Whoever has it
/// is that volunteer, so nothing prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What holds for every task of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSettings {
    /// Random name of the run.
    pub run_id: u64,
    /// The model; its input width is the number of pixels of an image.
    pub architecture: Architecture,
    /// What a volunteer computes.
    pub order: Order,
    /// Directions of a task; `d` as in the architecture.
    pub directions: DirectionSpec,
    /// Images in a minibatch.
    pub batch: u32,
    /// Fast step size, in `(0, 1]`.
    pub beta: f32,
    /// Milliseconds after which an unanswered task expires and its session ends.
    pub task_expiry_ms: u32,
    /// SHA-256 over the unpacked training files, images then labels.
    pub train_digest: [u8; 32],
}

/// One piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Version of the snapshot `x_v` to evaluate at.
    pub snapshot_version: u64,
    /// Draws the minibatch `xi`.
    pub minibatch_seed: u64,
    /// Draws the directions `A`.
    pub direction_seed: u64,
    /// Draws the coins that stand in for the sign of zero.
    pub coin_seed: u64,
    /// Whether the tracker forgets what it has before this task.
    pub reset_tracker: bool,
}

/// Declares an enum whose variants have a wire code, a name for counters, and a sentence for people.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $label:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its code on the wire.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code),* }
            }

            /// The reason with this code.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// Its name in counters and logs.
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
    /// Why an answer was not applied. The session goes on.
    RejectReason {
        /// No task of that number was ever issued, or it was long ago.
        UnknownTask = 1, "unknown_task", "no such task";
        /// The task has its answer.
        AlreadyAnswered = 2, "already_answered", "this task has been answered already";
        /// The task belongs to another session.
        NotYourTask = 3, "not_your_task", "this task belongs to another session";
        /// The task was given up.
        TaskExpired = 4, "task_expired", "this task has expired";
        /// Not the number of sign bits the run asks for.
        WrongBitCount = 5, "wrong_bit_count", "the answer has the wrong number of sign bits";
        /// A bit behind the last sign is set.
        SpareBitsSet = 6, "spare_bits_set", "a bit behind the last sign is set";
        /// The run finished while the answer was on its way.
        RunFinished = 7, "run_finished", "the model was finished before this answer came";
    }
}

reasons! {
    /// Why the server ends a session.
    GoodbyeReason {
        /// A frame of a protocol version the server does not speak.
        UnsupportedVersion = 1, "unsupported_version", "this volunteer speaks another protocol version; reload the page or update the program";
        /// A frame that cannot be read.
        Malformed = 2, "malformed_frame", "the server could not read a message from this volunteer";
        /// A frame above the size limit.
        Oversize = 3, "oversize_frame", "a message from this volunteer was too large";
        /// Too many rejected answers in a row.
        TooManyRejects = 4, "too_many_rejects", "too many answers in a row were rejected";
        /// A task was not answered in time.
        NoAnswer = 5, "no_answer", "a task was not answered in time";
        /// The schedule has come to its end.
        RunFinished = 6, "run_finished", "the model is finished";
        /// All places are taken.
        ServerFull = 7, "server_full", "all places on this server are taken";
        /// The server stops.
        ShuttingDown = 8, "shutting_down", "the server is stopping";
        /// The volunteer did not read what was sent to it.
        SlowReader = 9, "slow_reader", "this volunteer reads too slowly";
        /// The first message was not a hello, or not in time.
        NoHello = 10, "no_hello", "the session did not begin with a hello";
        /// An answer was computed again, and was another.
        WrongAnswer = 11, "wrong_answer", "an answer of this volunteer was not what its task asks for; its work is not taken any more";
        /// Too many sessions were begun from the volunteer's address.
        TooManyJoins = 12, "too_many_joins", "too many volunteers have joined from this address in the last minute";
        /// All places for the volunteer's address are taken.
        AddressFull = 13, "address_full", "as many volunteers work from this address as the server takes from one";
        /// The host does not want the volunteer, or its address.
        Banned = 14, "banned", "the host of this server has shut this volunteer out";
        /// A token is needed to join, and it was missing or another.
        TokenWrong = 15, "token_wrong", "this server asks for a join token, and it was missing or wrong";
        /// The same volunteer has begun another session.
        TakenOver = 16, "taken_over", "the same volunteer has joined from elsewhere, which ends this session";
        /// The host pauses the run.
        Paused = 17, "paused", "the host has paused the training";
        /// The host ended the session.
        Kicked = 18, "kicked", "the host of this server has ended this session";
        /// More pings than anybody needs.
        TooManyPings = 19, "too_many_pings", "too many pings came from this volunteer";
    }
}

/// The server's last word in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// Why.
    pub reason: GoodbyeReason,
    /// Milliseconds after which to connect again; none: not at all.
    pub retry_after_ms: Option<u32>,
}
