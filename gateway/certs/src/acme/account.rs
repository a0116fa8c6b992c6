//! The account with an authority: one, its key made and written down before it is used.

use std::sync::Arc;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use headgate_types::Digest;
use instant_acme::{Account, Error, ExternalAccountKey, Key, NewAccount};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::{
    client::{AcmeHttp, fault},
    defaults,
    order::Fault,
    renewals::AcmeConfig,
};
use crate::store::{CertificateStore, StoreError};

/// A customer's number with an authority that wants one (RFC 8555 §7.3.4).
#[derive(Clone)]
pub struct ExternalAccount {
    pub id: String,
    /// The key itself, decoded from what the authority shows.
    pub key: Zeroizing<Vec<u8>>,
}

/// The text is not a key in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the external account's key is not base64 as the authority shows it")]
pub struct NotAKey;

impl ExternalAccount {
    /// With the key as authorities show it: base64, for URLs or not, padded or not.
    pub fn new(id: String, key: &str) -> Result<Self, NotAKey> {
        let plain: Zeroizing<String> =
            Zeroizing::new(key.trim().trim_end_matches('=').replace('-', "+").replace('_', "/"));
        let key = BASE64_STANDARD_NO_PAD.decode(plain.as_bytes()).map_err(|_| NotAKey)?;
        if key.is_empty() {
            return Err(NotAKey);
        }
        Ok(Self { id, key: Zeroizing::new(key) })
    }
}

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the account's key cannot be made")]
    Key(#[source] Error),
    #[error("the account cannot be kept")]
    Store(#[from] StoreError),
    #[error("the authority gives no account")]
    Authority(Box<Fault>),
}

/// Gives out the account, and registers it when there is none.
pub(crate) struct Accounts {
    config: Arc<AcmeConfig>,
    http: AcmeHttp,
    store: CertificateStore,
    /// Held while it is registered, so that it is done once.
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    account: Option<Account>,
    /// How the last try to connect failed; orders that waited for it need not try again.
    failed: Option<(Instant, Fault)>,
}

#[derive(Serialize, Deserialize)]
struct AccountFile {
    directory: String,
    /// What the authority calls it; none if it is to be registered.
    url: Option<String>,
    contact: Vec<String>,
    /// PKCS #8 as base64.
    key: Zeroizing<String>,
}

impl Accounts {
    pub(crate) fn new(config: Arc<AcmeConfig>, http: AcmeHttp, store: CertificateStore) -> Self {
        Self { config, http, store, connection: Mutex::default() }
    }

    /// The account, connected.
    pub(crate) async fn account(&self) -> Result<Account, AccountError> {
        let asked = Instant::now();
        let mut connection = self.connection.lock().await;
        if let Some(account) = &connection.account {
            return Ok(account.clone());
        }
        if let Some((at, fault)) = &connection.failed
            && *at >= asked
        {
            return Err(AccountError::Authority(Box::new(fault.clone())));
        }
        let mut file = match self.store.value::<AccountFile>(&self.file_name()) {
            Some(file) if file.directory == self.config.directory => file,
            _ => self.make()?,
        };
        let account = self.connect(&mut file).await.inspect_err(|error| {
            if let AccountError::Authority(fault) = error {
                connection.failed = Some((Instant::now(), (**fault).clone()));
            }
        })?;
        self.update_contact(&account, &mut file).await;
        connection.account = Some(account.clone());
        Ok(account)
    }

    /// Connects anew for the next order: the directory may have moved.
    pub(crate) async fn disconnect(&self) {
        self.connection.lock().await.account = None;
    }

    /// The authority does not know it any more; the next order registers it again.
    pub(crate) async fn forget(&self, account: &Account) -> Result<(), AccountError> {
        let mut connection = self.connection.lock().await;
        if connection.account.as_ref().is_some_and(|current| current.id() != account.id()) {
            return Ok(()); // another order noticed it first
        }
        connection.account = None;
        if let Some(mut file) = self.store.value::<AccountFile>(&self.file_name())
            && file.url.as_deref() == Some(account.id())
        {
            warn!(directory = file.directory, "the authority has forgotten the account");
            file.url = None;
            self.store.put_value(&self.file_name(), &file)?;
        }
        Ok(())
    }

    fn make(&self) -> Result<AccountFile, AccountError> {
        let (_, key) = Key::generate_pkcs8().map_err(AccountError::Key)?;
        let file = AccountFile {
            directory: self.config.directory.clone(),
            url: None,
            contact: Vec::new(),
            key: Zeroizing::new(BASE64_STANDARD.encode(key.secret_pkcs8_der())),
        };
        self.store.put_value(&self.file_name(), &file)?;
        Ok(file)
    }

    /// Connects with the account or registers it; a bad nonce and a moment's silence are no reasons
    /// to give up.
    async fn connect(&self, file: &mut AccountFile) -> Result<Account, AccountError> {
        let mut tries = 0;
        let account = loop {
            tries += 1;
            let result = match &file.url {
                Some(url) => {
                    let directory = file.directory.clone();
                    let builder = Account::builder_with_http(self.http.boxed());
                    builder.from_parts(url.clone(), decode(file)?, directory).await
                }
                None => self.try_to_register(file).await?,
            };
            match result.map_err(fault) {
                Ok(account) => break account,
                Err(Fault::BadNonce) if tries <= defaults::NONCE_TRIES => {}
                Err(Fault::Unavailable { retry_after: None, .. })
                    if tries <= defaults::FAULT_TRIES =>
                {
                    sleep(defaults::FAULT_PAUSE * 2u32.pow(tries - 1)).await;
                }
                Err(fault) => return Err(AccountError::Authority(Box::new(fault))),
            }
        };
        if file.url.is_none() {
            file.url = Some(account.id().to_owned());
            self.store.put_value(&self.file_name(), file)?;
            info!(directory = file.directory, account = account.id(), "registered");
        }
        Ok(account)
    }

    async fn try_to_register(
        &self,
        file: &mut AccountFile,
    ) -> Result<Result<Account, Error>, AccountError> {
        let builder = Account::builder_with_http(self.http.boxed());
        let directory = file.directory.clone();
        let Some(external) = &self.config.external_account else {
            // With a key that is there already, a second registration finds the first.
            let der = decode(file)?;
            let key = Key::from_pkcs8_der(der.clone_key()).map_err(AccountError::Key)?;
            let created =
                builder.create_from_key((key, PrivateKeyDer::Pkcs8(der)), directory).await;
            return Ok(created.map(|(account, _)| account));
        };
        let binding = ExternalAccountKey::new(external.id.clone(), &external.key);
        let contact: Vec<_> = self.config.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        Ok(builder.create(&new, directory, Some(&binding)).await.map(|(account, credentials)| {
            let key = credentials.private_key().secret_pkcs8_der();
            file.key = Zeroizing::new(BASE64_STANDARD.encode(key));
            file.contact.clone_from(&self.config.contact);
            account
        }))
    }

    /// A contact is a courtesy of ours: that it cannot be changed is told, and stops nothing.
    async fn update_contact(&self, account: &Account, file: &mut AccountFile) {
        if file.contact == self.config.contact {
            return;
        }
        let contact: Vec<_> = self.config.contact.iter().map(String::as_str).collect();
        match account.update_contacts(&contact).await {
            Ok(()) => {
                file.contact.clone_from(&self.config.contact);
                if let Err(error) = self.store.put_value(&self.file_name(), file) {
                    warn!(%error, "the account's contact cannot be kept");
                }
            }
            Err(error) => warn!(%error, "the account's contact cannot be changed"),
        }
    }

    /// One for each authority, so that a change back finds the account there was.
    fn file_name(&self) -> String {
        let digest = Digest::of(self.config.directory.as_bytes());
        format!("account-{}.json", digest.fmt_short())
    }
}

fn decode(file: &AccountFile) -> Result<PrivatePkcs8KeyDer<'static>, AccountError> {
    let key = BASE64_STANDARD.decode(file.key.as_bytes());
    key.map(Into::into).map_err(|_| AccountError::Key(Error::KeyRejected))
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalAccount").field("id", &self.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}
