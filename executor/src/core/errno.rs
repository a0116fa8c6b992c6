//! Taubyte's error numbers (go-sdk `errno`), as far as they are answered here.

/// Zero, or what went wrong.
pub(super) type Errno = u32;

pub(super) const NONE: Errno = 0;
pub(super) const EVENT_NOT_FOUND: Errno = 1;
pub(super) const BUFFER_TOO_SMALL: Errno = 2;
/// A pointer the host should read from is outside of the guest's memory.
pub(super) const ADDRESS_OUT_OF_MEMORY: Errno = 3;
/// The event is of another kind.
pub(super) const NIL_ADDRESS: Errno = 4;
pub(super) const HTTP_WRITE: Errno = 5;
pub(super) const HTTP_READ_BODY: Errno = 6;
pub(super) const EOF: Errno = 8;
pub(super) const CLIENT_NOT_FOUND: Errno = 10;
pub(super) const PARSE_URL_FAILED: Errno = 11;
/// A pointer the host should write to is outside of the guest's memory.
pub(super) const MEMORY_WRITE_FAILED: Errno = 12;
pub(super) const HTTP_REQUEST_FAILED: Errno = 13;
pub(super) const INVALID_METHOD: Errno = 14;
pub(super) const HEADER_NOT_FOUND: Errno = 16;
pub(super) const SUBSCRIBE_FAILED: Errno = 20;
pub(super) const PUBLISH_FAILED: Errno = 21;
pub(super) const DATABASE_CREATE_FAILED: Errno = 22;
pub(super) const DATABASE_GET_FAILED: Errno = 23;
pub(super) const DATABASE_PUT_FAILED: Errno = 24;
pub(super) const DATABASE_NOT_FOUND: Errno = 25;
pub(super) const DATABASE_KEY_NOT_FOUND: Errno = 29;
pub(super) const GET_WEB_SOCKET_URL_FAILED: Errno = 38;
pub(super) const P2P_PROTOCOL_NOT_FOUND: Errno = 45;
pub(super) const ETHEREUM_NEW_CLIENT: Errno = 51;
pub(super) const STORAGE_NOT_FOUND: Errno = 92;
pub(super) const CREATING_NEW_FILE: Errno = 94;
pub(super) const CONTENT_NOT_FOUND: Errno = 96;
pub(super) const RESOLVER_NOT_FOUND: Errno = 101;
pub(super) const FAILED_TXT_LOOKUP: Errno = 102;
pub(super) const FAILED_ADDRESS_LOOKUP: Errno = 103;
pub(super) const FAILED_CNAME_LOOKUP: Errno = 104;
pub(super) const FAILED_MX_LOOKUP: Errno = 105;
pub(super) const MEMORY_VIEW_NOT_FOUND: Errno = 111;
pub(super) const INVALID_BOOL: Errno = 114;
pub(super) const FIFO_NOT_FOUND: Errno = 115;
pub(super) const P2P_DISCOVER_FAILED: Errno = 117;

/// What a host function answers.
pub(super) fn of(result: Result<(), Errno>) -> Errno {
    result.err().unwrap_or(NONE)
}
