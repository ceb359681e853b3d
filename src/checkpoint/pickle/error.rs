//! Why a pickle cannot be read.

use crate::tensor::Printable;

/// A pickle that cannot be read: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset} of the pickle: {kind}")]
pub struct PickleError {
    /// The first byte of the opcode, in bytes from the start of the pickle.
    pub offset: usize,
    /// The reason.
    pub kind: PickleErrorKind,
}

/// The reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleErrorKind {
    /// The pickle ends in the middle of an opcode, or before STOP.
    #[error(
        "the pickle ends too early: {needed} more bytes are needed and {available} are left; if the file is truncated, get it again"
    )]
    Truncated {
        /// Bytes that the opcode announces.
        needed: u64,
        /// Bytes that are left.
        available: usize,
    },
    /// A byte that is no opcode.
    #[error("0x{byte:02x} is no pickle opcode")]
    UnknownOpcode {
        /// The byte.
        byte: u8,
    },
    /// An opcode that no checkpoint needs.
    #[error("the opcode {opcode} is not supported: torch never writes it")]
    UnsupportedOpcode {
        /// Its name, as in Python's `pickletools`.
        opcode: &'static str,
    },
    /// A protocol newer than 5.
    #[error("pickle protocol {protocol} is not supported (0 to 5 are)")]
    Protocol {
        /// The protocol.
        protocol: u8,
    },
    /// An opcode takes a value and there is none.
    #[error("the opcode takes a value from an empty stack")]
    StackUnderflow,
    /// An opcode goes back to a MARK and there is none.
    #[error("the opcode needs a MARK and there is none")]
    NoMark,
    /// A memo entry that was never stored.
    #[error("memo entry {index} was never stored")]
    MissingMemo {
        /// The index.
        index: u32,
    },
    /// Keys and values do not come in pairs.
    #[error("a dictionary gets {count} keys and values, which do not pair up")]
    OddItems {
        /// How many there are.
        count: usize,
    },
    /// A list, dictionary or set as a key.
    #[error("a {what} is used as a key, which cannot be hashed")]
    UnhashableKey {
        /// What the key is.
        what: String,
    },
    /// An opcode fills something that it cannot fill.
    #[error("{opcode} on a {what}")]
    WrongTarget {
        /// The opcode.
        opcode: &'static str,
        /// What it would change.
        what: String,
    },
    /// The arguments of a call are not a tuple.
    #[error("{opcode} with arguments that are a {what}, not a tuple")]
    Arguments {
        /// The opcode.
        opcode: &'static str,
        /// What they are.
        what: String,
    },
    /// A dictionary class of `collections` with arguments that do not make a dictionary.
    #[error("the arguments of collections.{class} are no list of pairs")]
    DictArguments {
        /// The class.
        class: &'static str,
    },
    /// The name of a global is no text.
    #[error("the module or name of a global is no text")]
    GlobalName,
    /// A text number that is no number.
    #[error("{text:?} is no {opcode} number", text = Printable(text).to_string())]
    Number {
        /// The opcode.
        opcode: &'static str,
        /// The text.
        text: String,
    },
    /// A negative length.
    #[error("a length of {length}")]
    NegativeLength {
        /// The length.
        length: i32,
    },
    /// More values than any checkpoint needs.
    #[error("more than {limit} values: this is no list of weights")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// More memory than any checkpoint's pickle needs.
    #[error("it takes more than {limit} bytes of memory: this is no list of weights")]
    TooMuchMemory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More opcodes than any checkpoint needs.
    #[error("more than {limit} opcodes: this is no list of weights")]
    TooManyOpcodes {
        /// The limit.
        limit: usize,
    },
    /// Containers nested deeper than any checkpoint has them.
    #[error("more than {limit} containers are nested: this is no list of weights")]
    TooManyMarks {
        /// The limit.
        limit: usize,
    },
    /// A global whose names are no names.
    #[error("the module and name of a global have more than {limit} bytes")]
    GlobalTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A global that has no business in a checkpoint and that Python would be made to call.
    #[error(
        "it names `{global}`, which runs commands or code when a Python program loads the file; \
         nothing was run. Do not load this file with Python, and get the checkpoint from a source you trust",
        global = Printable(global)
    )]
    DangerousGlobal {
        /// Module and name, joined by a dot.
        global: String,
    },
}
