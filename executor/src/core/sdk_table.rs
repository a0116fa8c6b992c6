//! The functions of `taubyte/sdk` that are known and not served yet.
//!
//! Guests import many functions they never call, so each is linked: it answers the error number with which its
//! area says "there is none of that here", and a guest that copes with that runs. One row for each of Taubyte's
//! host functions, and of those its SDKs still import though today's Taubyte lost them.

use wasmtime::{Engine, FuncType, Linker, Val, ValType};

use super::{
    EVENT, SDK, State,
    errno::{self, Errno},
};

/// Whether an import is linked, but only to say that it is not served.
pub(crate) fn is_unserved(module: &str, name: &str) -> bool {
    module == SDK && UNSERVED.iter().any(|function| function.name == name)
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for function in UNSERVED {
        let ty = function.ty(linker.engine());
        let answer = function.answer;
        linker.func_new(SDK, function.name, ty, move |_, params, results| {
            let Some(answer) = answer else { return Ok(()) };
            let event = params.first().and_then(Val::i32);
            // Accessors of other events look for the event first.
            let unknown = answer == errno::NIL_ADDRESS && event != Some(EVENT.cast_signed());
            let answer = if unknown { errno::EVENT_NOT_FOUND } else { answer };
            results[0] = Val::I32(answer.cast_signed());
            Ok(())
        })?;
    }
    Ok(())
}

/// One function: its name, its parameters, its answer.
struct Unserved {
    name: &'static str,
    /// One letter for each parameter: `i` is i32, `I` is i64.
    params: &'static str,
    /// `None` for functions without a result, which do nothing.
    answer: Option<Errno>,
}

impl Unserved {
    fn ty(&self, engine: &Engine) -> FuncType {
        let params = self.params.bytes().map(|letter| match letter {
            b'I' => ValType::I64,
            _ => ValType::I32,
        });
        FuncType::new(engine, params, self.answer.map(|_| ValType::I32))
    }
}

const fn row(name: &'static str, params: &'static str, answer: Option<Errno>) -> Unserved {
    Unserved { name, params, answer }
}

#[rustfmt::skip]
const UNSERVED: &[Unserved] = &[
    // database/client
    row("databaseGet", "iiii", Some(errno::DATABASE_NOT_FOUND)),
    row("databaseGetSize", "iiii", Some(errno::DATABASE_NOT_FOUND)),
    row("databasePut", "iiiii", Some(errno::DATABASE_NOT_FOUND)),
    row("databaseClose", "i", Some(errno::DATABASE_NOT_FOUND)),
    row("databaseDelete", "iii", Some(errno::DATABASE_NOT_FOUND)),
    row("databaseList", "iiii", Some(errno::DATABASE_NOT_FOUND)),
    row("databaseListSize", "iiii", Some(errno::DATABASE_NOT_FOUND)),
    row("newDatabase", "iii", Some(errno::DATABASE_CREATE_FAILED)),
    // pubsub
    row("publishToChannel", "iiii", Some(errno::PUBLISH_FAILED)),
    row("setSubscriptionChannel", "ii", Some(errno::SUBSCRIBE_FAILED)),
    row("getWebSocketURLSize", "iii", Some(errno::GET_WEB_SOCKET_URL_FAILED)),
    row("getWebSocketURL", "iii", Some(errno::GET_WEB_SOCKET_URL_FAILED)),
    // event
    row("getP2PEventCommand", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventCommandSize", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventData", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventDataSize", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventProtocol", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventProtocolSize", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventTo", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventFrom", "ii", Some(errno::NIL_ADDRESS)),
    row("writeP2PResponse", "iii", Some(errno::NIL_ADDRESS)),
    row("getMessageData", "ii", Some(errno::NIL_ADDRESS)),
    row("getMessageDataSize", "ii", Some(errno::NIL_ADDRESS)),
    row("getMessageChannel", "ii", Some(errno::NIL_ADDRESS)),
    row("getMessageChannelSize", "ii", Some(errno::NIL_ADDRESS)),
    // storage
    row("storageNew", "iii", Some(errno::DATABASE_CREATE_FAILED)),
    row("storageGet", "iii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageListFilesSize", "ii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageListFiles", "ii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageNewContent", "i", Some(errno::CREATING_NEW_FILE)),
    row("storageOpenCid", "ii", Some(errno::CREATING_NEW_FILE)),
    row("contentCloseFile", "i", Some(errno::CONTENT_NOT_FOUND)),
    row("contentFileCid", "ii", Some(errno::CONTENT_NOT_FOUND)),
    row("contentWriteFile", "iiii", Some(errno::CONTENT_NOT_FOUND)),
    row("contentReadFile", "iiii", Some(errno::CONTENT_NOT_FOUND)),
    row("contentPushFile", "ii", Some(errno::CONTENT_NOT_FOUND)),
    row("contentSeekFile", "iIii", Some(errno::CONTENT_NOT_FOUND)),
    row("storageAddFile", "iiiiiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageGetFile", "iiiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageReadFile", "iiiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageCloseFile", "ii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageDeleteFile", "iiiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageListVersionsSize", "iiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageListVersions", "iiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageCid", "iiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageCurrentVersion", "iii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageCurrentVersionSize", "iiii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageUsedSize", "ii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageUsed", "ii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageCapacitySize", "ii", Some(errno::STORAGE_NOT_FOUND)),
    row("storageCapacity", "ii", Some(errno::STORAGE_NOT_FOUND)),
    // p2p
    row("readCommandResponse", "iii", Some(errno::CLIENT_NOT_FOUND)),
    row("discoverPeersSize", "iiii", Some(errno::P2P_DISCOVER_FAILED)),
    row("discoverPeers", "ii", Some(errno::P2P_DISCOVER_FAILED)),
    row("sendCommand", "iiii", Some(errno::CLIENT_NOT_FOUND)),
    row("sendCommandTo", "iiiii", Some(errno::CLIENT_NOT_FOUND)),
    row("newCommand", "iiiii", Some(errno::P2P_PROTOCOL_NOT_FOUND)),
    row("listenToProtocolSize", "iii", Some(errno::P2P_PROTOCOL_NOT_FOUND)),
    row("listenToProtocol", "iiii", Some(errno::P2P_PROTOCOL_NOT_FOUND)),
    // ethereum
    row("ethBlockByNumber", "iiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethBlockNumberFromId", "iii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethBlockNumberFromIdSize", "iii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethCallContract", "iiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethCallContractSize", "iiiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethCloseClient", "i", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethCurrentBlockNumber", "ii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethCurrentChainId", "ii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethCurrentChainIdSize", "ii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethDeployContract", "iiiiiiiiiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetContractMethod", "iiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetContractMethodSize", "iiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetTransactionFromBlockByHash", "iiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetTransactionMethodBytes", "iiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetTransactionMethodSize", "iiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetTransactionMethodUint64", "iiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetTransactionsFromBlock", "iii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethGetTransactionsFromBlockSize", "iiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethHexToECDSA", "iii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethNew", "iiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethNewContract", "iiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethNewContractSize", "iiiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethPubFromPriv", "iii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethPubKeyFromSignedMessage", "iiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethSendTransaction", "iiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethSignMessage", "iiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethSubscribeContractEvent", "iiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethTransactContract", "iiiiiiiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethTransactionRawSignatures", "iiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethTransactionRawSignaturesSize", "iiiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    row("ethVerifySignature", "iiiiii", Some(errno::ETHEREUM_NEW_CLIENT)),
    // ipfs
    row("ipfsCloseFile", "ii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsFileCid", "iii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsNewContent", "ii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsOpenFile", "iii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsPushFile", "iii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsReadFile", "iiiii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsSeekFile", "iiIii", Some(errno::CONTENT_NOT_FOUND)),
    row("ipfsWriteFile", "iiiii", Some(errno::CONTENT_NOT_FOUND)),
    row("newIpfsClient", "i", Some(errno::CONTENT_NOT_FOUND)),
    // p2p event
    row("getP2PEventFromSize", "ii", Some(errno::NIL_ADDRESS)),
    row("getP2PEventToSize", "ii", Some(errno::NIL_ADDRESS)),
];
