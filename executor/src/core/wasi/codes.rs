//! WASI preview 1's error numbers, as far as they are answered here, and the kinds of files.

/// An error number of WASI; success has none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u32);

pub(super) type Result<T> = std::result::Result<T, Code>;

pub(super) const BAD_DESCRIPTOR: Code = Code(8);
pub(super) const EXISTS: Code = Code(20);
/// A pointer leads out of the guest's memory.
pub(super) const FAULT: Code = Code(21);
pub(super) const FILE_TOO_LARGE: Code = Code(22);
pub(super) const ILLEGAL_BYTES: Code = Code(25);
pub(super) const INVALID: Code = Code(28);
pub(super) const IO: Code = Code(29);
pub(super) const IS_FOLDER: Code = Code(31);
pub(super) const TOO_MANY_OPEN: Code = Code(33);
pub(super) const NAME_TOO_LONG: Code = Code(37);
pub(super) const NOT_THERE: Code = Code(44);
pub(super) const NO_SPACE: Code = Code(51);
pub(super) const NOT_A_FOLDER: Code = Code(54);
pub(super) const NOT_EMPTY: Code = Code(55);
pub(super) const NOT_A_SOCKET: Code = Code(57);
pub(super) const NOT_SUPPORTED: Code = Code(58);
pub(super) const NOT_SEEKABLE: Code = Code(70);

/// What a host function answers.
pub(super) fn of(result: Result<()>) -> u32 {
    result.err().map_or(0, |Code(number)| number)
}

/// What kind of file a descriptor or a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Standard input and output. C then writes each line at its end instead of when the program ends, which a
    /// guest that waits to be called never does.
    Device = 2,
    Folder = 3,
    File = 4,
}
