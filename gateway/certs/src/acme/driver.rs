//! Executes what an [`Order`] asks for: calls the authority, writes down, publishes challenges.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use headgate_types::{Clock, DomainName};
use instant_acme::{
    Account, CertificateIdentifier, ChallengeStatus, ChallengeType, Identifier, NewOrder,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::time::sleep;
use tracing::{debug, info};
use zeroize::Zeroizing;

use super::{
    Method,
    account::{AccountError, Accounts},
    challenge::{AlpnChallenges, ChallengeZone, HttpTokens, PublishError, Standing},
    client::{fault, told, with_pause},
    order::{
        Action, Authorization, AuthorizationStatus, Challenge, Event, Failure, Fault, Offered,
        Order, OrderReply, OrderStatus, Step,
    },
    problem::{OrderError, Problem, ProblemKind},
    wanted::Wanted,
};
use crate::{
    held::{HeldCertificate, Origin},
    store::{CertificateStore, Draft, StoreError},
};

/// What all orders with one authority share.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) accounts: Accounts,
    pub(crate) directory: String,
    pub(crate) profile: Option<String>,
    pub(crate) store: CertificateStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) zone: Arc<dyn ChallengeZone>,
    pub(crate) tokens: HttpTokens,
    pub(crate) alpn: AlpnChallenges,
}

/// One try of one certificate.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) wanted: Wanted,
    pub(crate) method: Method,
    /// The certificate it replaces, for the authority's renewal information.
    pub(crate) replaces: Option<Arc<HeldCertificate>>,
    pub(crate) seed: u64,
}

/// One try under way.
struct Talk<'a> {
    driver: &'a Driver,
    errand: &'a Errand,
    account: Account,
    draft: Draft,
    order: Option<instant_acme::Order>,
    /// The answers to challenges; they go when the try ends.
    standing: Vec<Standing>,
}

impl Driver {
    /// Obtains and stores the certificate, or goes on with an order that was begun before.
    pub(crate) async fn obtain(&self, errand: &Errand) -> Result<HeldCertificate, Failure> {
        let account = self.accounts.account().await.map_err(|error| self.no_account(error))?;
        let draft = self.draft(&errand.wanted)?;
        let (mut order, mut action) = Order::begin(
            errand.method,
            draft.url.clone(),
            errand.replaces.is_some(),
            errand.seed,
            self.clock.now(),
        );
        let mut talk =
            Talk { driver: self, errand, account, draft, order: None, standing: Vec::new() };
        loop {
            debug!(name = %errand.wanted.title(), ?action, "certificate order");
            let event = talk.execute(action).await?;
            (order, action) = match order.on(event, self.clock.now()) {
                Step::Go(order, action) => (order, action),
                Step::Issued { chain } => return talk.keep(&chain),
                Step::Failed(failure) => {
                    talk.give_up(&failure).await?;
                    return Err(failure);
                }
            };
        }
    }

    /// When the authority would have `certificate` renewed; `None` if it does not say.
    pub(crate) async fn renewal_info(
        &self,
        certificate: &HeldCertificate,
    ) -> Result<Option<(instant_acme::RenewalInfo, std::time::Duration)>, Fault> {
        let account = self.accounts.account().await.map_err(account_fault)?;
        let Some(id) = identifier(certificate) else { return Ok(None) };
        match account.renewal_info(&id).await {
            Ok(info) => Ok(Some(info)),
            Err(instant_acme::Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// The draft under way with this authority, or a new one, which is on disk before it is used.
    fn draft(&self, wanted: &Wanted) -> Result<Draft, Failure> {
        if let Some(draft) = self.store.draft(wanted)
            && draft.directory == self.directory
            && draft.key().is_some()
        {
            return Ok(draft);
        }
        let made = make_request(wanted);
        let (key, request) = made.map_err(|error| unusable(error.to_string()))?;
        let draft = Draft::new(&self.directory, wanted, &key, &request, self.clock.now());
        self.store.put_draft(wanted, &draft).map_err(|error| not_stored(&error))?;
        Ok(draft)
    }

    fn no_account(&self, error: AccountError) -> Failure {
        let now = self.clock.now();
        let AccountError::Authority(fault) = error else {
            let why = headgate_types::Chain(&error).to_string();
            let error = OrderError::Store { why };
            return Failure { error, not_before: None, order_lives: true };
        };
        let (error, pause) = match *fault {
            Fault::Refused(problem) => {
                let problem = Problem { kind: ProblemKind::Account, ..problem };
                (OrderError::Refused(problem), None)
            }
            Fault::RateLimited { detail, retry_after } => {
                let pause = retry_after.unwrap_or(super::defaults::RATE_LIMITED);
                (OrderError::RateLimited { until: now.after(pause), detail }, Some(pause))
            }
            Fault::Unavailable { why, retry_after } => {
                (OrderError::Unavailable { why }, retry_after)
            }
            fault => (OrderError::Unavailable { why: format!("{fault:?}") }, None),
        };
        Failure { error, not_before: pause.map(|pause| now.after(pause)), order_lives: true }
    }
}

impl Talk<'_> {
    async fn execute(&mut self, action: Action) -> Result<Event, Failure> {
        let result = match action {
            Action::Wait(pause) => {
                sleep(pause).await;
                Ok(Event::Woke)
            }
            Action::Create { replaces } => self.create(replaces).await?,
            Action::Read(url) => self.read(url).await,
            Action::ReadAuthorizations(url) => self.read_authorizations(url).await,
            Action::Publish(challenges) => self.publish(&challenges).await,
            Action::Announce(url, challenge) => self.announce(url, &challenge).await,
            Action::Finalize(url) => self.finalize(url).await,
            Action::Download(url) => self.download(url).await,
        };
        Ok(result.unwrap_or_else(Event::Fault))
    }

    /// Orders, and writes down the URL before anything else happens.
    async fn create(&mut self, replaces: bool) -> Result<Result<Event, Fault>, Failure> {
        let names = &self.errand.wanted.names;
        let names: Vec<_> = names.iter().map(|name| Identifier::Dns(name.to_string())).collect();
        let mut new = NewOrder::new(&names);
        if let Some(id) = self.errand.replaces.as_deref().filter(|_| replaces).and_then(identifier)
        {
            new = new.replaces(id);
        }
        let listed = |wanted: &&str| self.account.profiles().any(|profile| profile.name == *wanted);
        if let Some(profile) = self.driver.profile.as_deref().filter(listed) {
            new = new.profile(profile);
        }
        let mut order = match self.account.new_order(&new).await {
            Ok(order) => order,
            Err(error) => return Ok(Err(fault(error))),
        };
        self.draft.url = Some(order.url().to_owned());
        let stored = self.driver.store.put_draft(&self.errand.wanted, &self.draft);
        stored.map_err(|error| not_stored(&error))?;
        let reply = reply(&mut order, None);
        self.order = Some(order);
        Ok(Ok(Event::Order(reply)))
    }

    async fn read(&mut self, url: String) -> Result<Event, Fault> {
        let (result, pause) = with_pause(async {
            match &mut self.order {
                Some(order) if order.url() == url => order.refresh().await.map(|_| ()),
                _ => self.account.order(url).await.map(|order| self.order = Some(order)),
            }
        })
        .await;
        result.map_err(fault)?;
        let order = self.order.as_mut().expect("it was just read");
        Ok(Event::Order(reply(order, pause)))
    }

    async fn read_authorizations(&mut self, url: String) -> Result<Event, Fault> {
        self.read(url).await?; // forgets what was known of them
        let order = self.order.as_mut().expect("it was just read");
        let mut authorizations = order.authorizations();
        let mut list = Vec::new();
        while let Some(authorization) = authorizations.next().await {
            let authorization = authorization.map_err(fault)?;
            list.push(Authorization {
                url: authorization.url().to_owned(),
                name: match authorization.identifier().identifier {
                    Identifier::Dns(name) => name.clone(),
                    other => format!("{other:?}"),
                },
                status: match authorization.status {
                    instant_acme::AuthorizationStatus::Pending => AuthorizationStatus::Pending,
                    instant_acme::AuthorizationStatus::Valid => AuthorizationStatus::Valid,
                    _ => AuthorizationStatus::Dead,
                },
                challenges: authorization.challenges.iter().filter_map(offered).collect(),
            });
        }
        Ok(Event::Authorizations(list))
    }

    /// The old answers stand until the new ones do.
    async fn publish(&mut self, challenges: &[Challenge]) -> Result<Event, Fault> {
        let mut standing = Vec::with_capacity(challenges.len());
        for challenge in challenges {
            let published = self.publish_one(challenge).await;
            let why = |error: PublishError| Fault::Publish { why: error.to_string() };
            standing.push(published.map_err(why)?);
        }
        self.standing = standing;
        Ok(Event::Published)
    }

    async fn publish_one(&self, challenge: &Challenge) -> Result<Standing, PublishError> {
        let Driver { zone, tokens, alpn, .. } = self.driver;
        let answer = format!("{}.{}", challenge.token, self.account.key_thumbprint());
        let hash = digest(&SHA256, answer.as_bytes());
        match challenge.method {
            Method::Dns01 => {
                let name: DomainName = challenge
                    .name
                    .parse()
                    .map_err(|error| PublishError(format!("{}: {error}", challenge.name)))?;
                let owner = self.errand.wanted.owner(&name).ok_or_else(|| {
                    PublishError(format!("there is no name to publish a record for {name} at"))
                })?;
                zone.publish(&owner, &BASE64_URL_SAFE_NO_PAD.encode(hash)).await
            }
            Method::Http01 => tokens.publish(&challenge.token, &answer),
            Method::TlsAlpn01 => alpn.publish(&challenge.name, hash.as_ref()),
        }
    }

    async fn announce(&mut self, url: String, challenge: &Challenge) -> Result<Event, Fault> {
        if self.order.as_ref().is_none_or(|order| order.url() != url) {
            self.read(url).await?;
        }
        let order = self.order.as_mut().expect("it was just read");
        let kind = match challenge.method {
            Method::Dns01 => ChallengeType::Dns01,
            Method::TlsAlpn01 => ChallengeType::TlsAlpn01,
            Method::Http01 => ChallengeType::Http01,
        };
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(fault)?;
            if authorization.url() != challenge.authorization {
                continue;
            }
            let Some(mut handle) = authorization.challenge(kind) else { break };
            handle.set_ready().await.map_err(fault)?;
            return Ok(Event::Announced);
        }
        Err(Fault::Gone)
    }

    async fn finalize(&mut self, url: String) -> Result<Event, Fault> {
        if self.order.as_ref().is_none_or(|order| order.url() != url) {
            self.read(url).await?;
        }
        let order = self.order.as_mut().expect("it was just read");
        let request = self.draft.request().expect("it was looked at when the draft was read");
        let (result, pause) = with_pause(order.finalize_csr(&request)).await;
        result.map_err(fault)?;
        Ok(Event::Order(reply(order, pause)))
    }

    async fn download(&mut self, url: String) -> Result<Event, Fault> {
        if self.order.as_ref().is_none_or(|order| order.url() != url) {
            self.read(url).await?;
        }
        let order = self.order.as_mut().expect("it was just read");
        match order.certificate().await.map_err(fault)? {
            Some(chain) => Ok(Event::Chain(chain)),
            None => Ok(Event::Order(reply(order, None))),
        }
    }

    /// Stores what was issued, if it is what was ordered. Only then is the draft forgotten: killed in
    /// between, the next start finds the order issued, and stores the same certificate again.
    fn keep(self, chain: &str) -> Result<HeldCertificate, Failure> {
        let Self { driver, errand, draft, .. } = self;
        let key = draft.key().expect("it was looked at when the draft was read");
        let chain = rustls_pki_types::pem::PemObject::pem_slice_iter(chain.as_bytes());
        let chain: Result<Vec<_>, _> = chain.collect();
        let held = chain.map_err(|error| error.to_string()).and_then(|chain| {
            let origin = Origin::Acme(driver.directory.as_str().into());
            let held = HeldCertificate::new(origin, chain, key);
            held.map_err(|error| headgate_types::Chain(&error).to_string())
        });
        let wanted = &errand.wanted;
        let held = held.and_then(|held| {
            let lacking = wanted.names.iter().find(|name| !held.names().contains(name));
            lacking.map_or(Ok(held), |name| Err(format!("it is not for {name}")))
        });
        let held = held.map_err(|why| {
            let _ = driver.store.remove_draft(wanted); // else its order is downloaded again
            unusable(why)
        })?;
        driver.store.put(&held).map_err(|error| not_stored(&error))?;
        driver.store.remove_draft(wanted).map_err(|error| not_stored(&error))?;
        info!(name = %wanted.title(), not_after = %held.not_after(), "certificate issued");
        Ok(held)
    }

    async fn give_up(mut self, failure: &Failure) -> Result<(), Failure> {
        let accounts = &self.driver.accounts;
        match failure.error {
            OrderError::AccountForgotten => {
                let forgotten = accounts.forget(&self.account).await;
                forgotten.map_err(|error| self.driver.no_account(error))?;
            }
            OrderError::Unavailable { .. } => accounts.disconnect().await,
            _ => {}
        }
        if !failure.order_lives && self.draft.url.take().is_some() {
            let stored = self.driver.store.put_draft(&self.errand.wanted, &self.draft);
            stored.map_err(|error| not_stored(&error))?;
        }
        Ok(())
    }
}

/// A new key, and the request to certify it for the names.
fn make_request(wanted: &Wanted) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let names: Vec<_> = wanted.names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    Ok((Zeroizing::new(key.serialize_der()), request.der().to_vec()))
}

fn identifier(certificate: &HeldCertificate) -> Option<CertificateIdentifier<'static>> {
    CertificateIdentifier::try_from(certificate.leaf()).ok().map(CertificateIdentifier::into_owned)
}

fn reply(order: &mut instant_acme::Order, retry_after: Option<std::time::Duration>) -> OrderReply {
    let url = order.url().to_owned();
    let state = order.state();
    OrderReply {
        url,
        status: match state.status {
            instant_acme::OrderStatus::Pending => OrderStatus::Pending,
            instant_acme::OrderStatus::Ready => OrderStatus::Ready,
            instant_acme::OrderStatus::Processing => OrderStatus::Processing,
            instant_acme::OrderStatus::Valid => OrderStatus::Valid,
            instant_acme::OrderStatus::Invalid => OrderStatus::Invalid,
        },
        problem: state.error.as_ref().map(told),
        retry_after,
    }
}

fn offered(challenge: &instant_acme::Challenge) -> Option<Offered> {
    let method = match challenge.r#type {
        ChallengeType::Dns01 => Method::Dns01,
        ChallengeType::TlsAlpn01 => Method::TlsAlpn01,
        ChallengeType::Http01 => Method::Http01,
        _ => return None,
    };
    Some(Offered {
        method,
        token: challenge.token.clone(),
        pending: challenge.status == ChallengeStatus::Pending,
        problem: challenge.error.as_ref().map(told),
    })
}

fn account_fault(error: AccountError) -> Fault {
    match error {
        AccountError::Authority(fault) => *fault,
        error => Fault::Unavailable { why: error.to_string(), retry_after: None },
    }
}

fn unusable(why: String) -> Failure {
    Failure { error: OrderError::Unusable { why }, not_before: None, order_lives: false }
}

fn not_stored(error: &StoreError) -> Failure {
    let why = headgate_types::Chain(error).to_string();
    Failure { error: OrderError::Store { why }, not_before: None, order_lives: true }
}
