//! Resources that nothing here runs yet: checked like the others, and said to be idle.

use headgate_types::ByteSize;

use super::{Compiler, Unserved, code::unmapped};
use crate::{
    artefact,
    diagnostic::{Diagnostic, Place, Severity, codes, quoted},
    model::{
        Database, Group, Library, Matcher, Messaging, ResourceRef, Service, Smartop, Storage,
        StorageKind,
    },
    raw,
    schema::{At, Text, Written},
};

impl Compiler<'_> {
    pub(super) fn database(&mut self, raw: raw::Resource<raw::Database>) -> Option<Database> {
        let (id, about) = self.identify(Group::Databases, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let matches = match body.matches.regex {
            // Taubyte asks for no `match` beside `regex: true`.
            true => Some(matcher(body.matches)),
            false => {
                let hint = "add the name it is opened by, such as `match: /users`";
                let text = body.matches.text;
                let text = self.require(text, "match", "a database", &place, hint);
                text.map(|at| Some(Matcher::Exact(at.value)))
            }
        };
        let hint = "add how much it may hold, such as `storage: {size: 5GB}`";
        let size = self.require(body.size, "storage.size", "a database", &body.storage, hint);
        let size = size.and_then(|size| self.above_zero("storage.size", &size));
        let (matches, size, network) = (matches?, size?, body.network);
        self.idle((Group::Databases, &application, &name, &place));
        Some(Database { application, name, id, about, matches, network, size, place })
    }

    pub(super) fn storage(&mut self, raw: raw::Resource<raw::Storage>) -> Option<Storage> {
        let (id, about) = self.identify(Group::Storages, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let kind = StorageKind::Object { versioning: body.versioning };
        let ttl = match body.ttl {
            Written::Broken => None,
            Written::Value(At { value, place }) if value.is_zero() => {
                self.zero("streaming.ttl", "nothing would be kept", &place)
            }
            written => Some(written.value().map(|at| at.value)),
        };
        let hint = "add how much it may hold, such as `size: 5GB`";
        let (kind, key, size) = match (body.object, body.streaming) {
            (Some(object), Some(streaming)) => {
                self.ambiguous_storage(object.place, streaming.place);
                return None;
            }
            (Some(raw::StorageKind { place, size }), None) => {
                let size = self.require(size, "object.size", "a storage", &place, hint);
                (Some(kind), "object.size", size)
            }
            (None, Some(raw::StorageKind { place, size })) => (
                ttl.map(|ttl| StorageKind::Streaming { ttl }),
                "streaming.size",
                self.require(size, "streaming.size", "a storage", &place, hint),
            ),
            (None, None) => {
                if !body.broken {
                    let message = "a storage needs `object` or `streaming`";
                    self.report.push(
                        Diagnostic::error(codes::MISSING_KEY, message).at(place).hint(
                            "add `object: {size: 5GB}` for files, or `streaming: {ttl: 5m, size: \
                             5GB}` for what is kept for a while",
                        ),
                    );
                }
                return None;
            }
        };
        let size = size.and_then(|size| self.above_zero(key, &size));
        let (kind, size, network) = (kind?, size?, body.network);
        let matches = matcher(body.matches);
        self.idle((Group::Storages, &application, &name, &place));
        Some(Storage { application, name, id, about, matches, network, kind, size, place })
    }

    fn above_zero(&mut self, key: &str, size: &At<ByteSize>) -> Option<ByteSize> {
        match size.value.as_bytes() {
            0 => self.zero(key, "nothing would fit in", &size.place),
            _ => Some(size.value),
        }
    }

    fn ambiguous_storage(&mut self, object: Place, streaming: Place) {
        let message = "a storage is either `object` or `streaming`, and this is both";
        self.report.push(
            Diagnostic::error(codes::AMBIGUOUS_STORAGE, message)
                .at(object.clone().max(streaming.clone()))
                .label("a second kind")
                .related(object.min(streaming), "the first one")
                .hint("remove one of them, or make two storages"),
        );
    }

    pub(super) fn library(&mut self, raw: raw::Resource<raw::Library>) -> Option<Library> {
        let (id, about) = self.identify(Group::Libraries, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let followed = self.check_branch(&body.repository.branch);
        let given = body.repository.given;
        let fullname = body.repository.fullname.clone().value();
        let repository = self.repository(body.repository);
        let path = match body.path {
            Written::Absent | Written::Blank(_) => Some("".into()),
            Written::Broken => None,
            Written::Value(path) => self.folder(&path),
        };
        if given && repository.is_none() {
            return None;
        }
        let path = path?;
        let names = artefact::Name { application: application.as_deref(), name: &name };
        let artefact = match artefact::of_guest(self.tree, Group::Libraries, names, &path) {
            Ok(artefact) => {
                self.code_found();
                Some(artefact)
            }
            // Nobody could fetch it, which was said.
            Err(error) if error.code == codes::ARTEFACT_NOT_FOUND && !followed => None,
            Err(error) => {
                self.library_without_code(*error, names, fullname, &place);
                None
            }
        };
        let known = ResourceRef { application: application.clone(), name: name.clone() };
        self.library_code.insert(known, artefact.clone());
        Some(Library { application, name, id, about, path, repository, artefact, place })
    }

    /// A warning, as nothing may need it; whatever does has an error of its own.
    fn library_without_code(
        &mut self,
        error: Diagnostic,
        names: artefact::Name<'_>,
        fullname: Option<At<Text>>,
        place: &Place,
    ) {
        let repository = fullname.as_ref().map(|fullname| fullname.value.clone());
        let mut error = match fullname {
            Some(fullname) if self.is_unmapped(&error, Group::Libraries, names) => {
                unmapped(error, Group::Libraries, names, fullname)
            }
            _ => error,
        };
        if error.code != codes::FILE_TOO_LARGE {
            error.severity = Severity::Warning;
        }
        let at = error.place.clone().unwrap_or_else(|| place.clone());
        self.code_missing(Group::Libraries, names, repository, error.at(at));
    }

    /// A folder of a repository, without slashes at its ends.
    fn folder(&mut self, At { value, place }: &At<Text>) -> Option<Box<str>> {
        let folder = value.trim_matches('/');
        let folder = if folder == "." { "" } else { folder };
        if folder.split('/').any(|part| matches!(part, "." | "..")) {
            let message = format!("{} is not a folder of a repository", quoted(value));
            self.report.push(
                Diagnostic::error(codes::INVALID_PATH, message)
                    .at(place.clone())
                    .hint("write it from the repository's top, without `.` and `..`: `/src/lib`"),
            );
            return None;
        }
        Some(folder.into())
    }

    pub(super) fn messaging(&mut self, raw: raw::Resource<raw::Messaging>) -> Option<Messaging> {
        let (id, about) = self.identify(Group::Messaging, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let regex = body.matches.regex;
        let hint = "add the channel's name, such as `channel: {match: orders}`";
        let what = "a messaging channel";
        let text = self.require(body.matches.text, "channel.match", what, &body.channel, hint)?;
        let channels = match regex {
            true => Matcher::Regex(text.value),
            false => Matcher::Exact(text.value),
        };
        self.idle((Group::Messaging, &application, &name, &place));
        let raw::Messaging { local, mqtt, websocket, .. } = body;
        Some(Messaging { application, name, id, about, channels, local, mqtt, websocket, place })
    }

    pub(super) fn service(&mut self, raw: raw::Resource<raw::Service>) -> Option<Service> {
        let (id, about) = self.identify(Group::Services, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let hint = "add the protocol's name, such as `protocol: /orders/v1`";
        let protocol = self.require(body.protocol, "protocol", "a service", &place, hint)?.value;
        self.idle((Group::Services, &application, &name, &place));
        Some(Service { application, name, id, about, protocol, place })
    }

    pub(super) fn smartop(&mut self, raw: raw::Resource<raw::Smartop>) -> Option<Smartop> {
        let (id, about) = self.identify(Group::Smartops, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let source = self.source(application.as_ref(), body.source, Group::Smartops, &place);
        let execution = self.execution(body.execution, Group::Smartops);
        let (source, execution) = (source?, execution?);
        self.idle((Group::Smartops, &application, &name, &place));
        Some(Smartop {
            application,
            name,
            id,
            about,
            source,
            call: execution.call,
            timeout: execution.timeout,
            memory: execution.memory,
            place,
        })
    }

    fn idle(&mut self, resource: Unserved<'_>) {
        let (group, _, name, place) = resource;
        let what = format!("the {} `{name}`", group.noun());
        let message = format!("{what} is read, and nothing here uses it yet");
        self.not_served(resource, place.clone(), &message);
    }
}

fn matcher(raw: raw::Matches) -> Option<Matcher> {
    let text = raw.text.value()?.value;
    Some(if raw.regex { Matcher::Regex(text) } else { Matcher::Exact(text) })
}
