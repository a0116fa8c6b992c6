//! Every code a diagnostic can have, with what `headgate explain CODE` says about it.
//!
//! A code, once released, keeps its meaning. Those at the end are given by the gateway, which compiles
//! guests and knows other projects.

/// The longer text for a code; `None` for one that does not exist.
pub fn explain(code: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal: $text:literal;)*) => {
        $(#[doc = concat!("`", $code, "`")] $(#[$meta])* pub const $name: &str = $code;)*

        /// Code and explanation, in the order of the source.
        pub const ALL: &[(&str, &str)] = &[$(($code, $text)),*];
    };
}

codes! {
    NO_PROJECT = "no-project":
        "A project is a folder or repository in Taubyte's layout: `config.yaml` at the top, and \
         folders such as `functions/`, `domains/` and `websites/` beside it. None of these was found. \
         Often the wrong folder or branch was given. `headgate new` makes a project that serves at once.";
    MISSING_CONFIG = "missing-config":
        "There are functions, domains or websites, but no `config.yaml` at the top. The project is \
         served without it. Add one with at least a `name`, so that the ids derived from it are \
         the project's own.";
    UNREADABLE_FILE = "unreadable-file":
        "A file that belongs to the project, or that `node.yaml` names, could not be read, or is not a \
         plain file. In a project symbolic links and submodules are never followed, because they could \
         lead out of it.";
    UNREADABLE_PATH = "unreadable-path":
        "A file was left out because its name is not UTF-8 text, or because this user may not read \
         it. If the project needs it, rename it or change its permissions.";
    FILE_TOO_LARGE = "file-too-large":
        "A file is larger than anything of its kind needs to be. The limits protect the node: YAML \
         files have at most 256 KiB, WebAssembly files 128 MiB, packed websites 128 MiB.";
    NOT_UTF8 = "not-utf8":
        "YAML files are UTF-8 text. This one holds bytes that are not, which happens when an editor \
         saves in another encoding, or when a file of another kind has a `.yaml` name.";
    YAML_SYNTAX = "yaml-syntax":
        "The file does not follow YAML's grammar, so nothing in it could be read. The usual reasons \
         are indentation, tabs, a missing space behind a colon, and text that needs quotes because \
         it contains `: ` or begins with a character such as `*`, `&`, `@` or `[`.";
    UNSUPPORTED_YAML = "unsupported-yaml":
        "The file is YAML, but uses a part of it that configuration does not need and that is \
         refused here: several documents in one file, keys that are not plain text, tags of its own, \
         or an alias that contains itself.";
    TOO_COMPLEX = "too-complex":
        "The file is nested deeper, or unfolds to more values, than any project needs. Aliases count \
         each time they are used, so a short file can stand for a huge one.";
    DUPLICATE_KEY = "duplicate-key":
        "A key appears twice at the same level. YAML does not say which one counts, and programs \
         differ, so one of them has to go.";
    UNKNOWN_KEY = "unknown-key":
        "A key that nobody reads. Most often it is misspelt, or indented one level too far or too \
         little. In a project it is a warning and no error, because projects written for other versions \
         of Headgate or for Taubyte may hold keys this one does not know. In `node.yaml` it is an error.";
    IGNORED_KEY = "ignored-key":
        "A key that older Taubyte projects have and that nothing reads any more, or one that means \
         something only to another kind of trigger. It can be removed.";
    TWO_SPELLINGS = "two-spellings":
        "Some keys have an older spelling, which is read as well: `useRegex` is `regex`, \
         `trigger.service` is `trigger.protocol`, `source.paths` of a website is `paths`, and the \
         `domains` of a function may stand beside `trigger` or in it. Both are there and say different \
         things, so one of them has no effect.";
    UNKNOWN_FOLDER = "unknown-folder":
        "A folder holds YAML files and is called almost like a folder that is read, such as \
         `function/` beside `functions/`. Its files are not part of the project as it stands.";
    SERVES_NOTHING = "serves-nothing":
        "A project without any website and without a function that requests call answers nothing, and takes \
         down what was served before. So it is refused if files that look like some are there and are not \
         read, because their folder or their name is a little off; else it is a warning.";
    YML_EXTENSION = "yml-extension":
        "Resources are files that end in `.yaml`. A file that ends in `.yml` is not read.";
    INVALID_NAME = "invalid-name":
        "A resource is called what its file is called, and an application what its folder is called. \
         These names become parts of host names, ids and log lines, so they consist of letters, \
         digits, `_` and `-`, at most 63 of them.";
    NAME_DIFFERS = "name-differs":
        "The `name` in a file differs from the name of the file. The file's name counts: it is what \
         other files refer to.";
    MISSING_ID = "missing-id":
        "Every resource has an id, by which it is still the same after it was renamed. Taubyte's tools \
         write it. Without one, an id is derived from the names of project, application, group and \
         resource: it is stable from commit to commit, until one of these names changes.";
    DUPLICATE_ID = "duplicate-id":
        "Two resources have the same `id`, which usually means that a file was copied. Routes and \
         functions go by name and are not affected; give the copy the id that the help shows.";
    WRONG_TYPE = "wrong-type":
        "A value is of another kind than its key needs: text where a list belongs, a list where text \
         belongs, or `true` where text belongs. In a project's files numbers and text stand \
         for each other; in `node.yaml` a number has no quotes. `true` and `false` become text only in \
         quotes.";
    MISSING_KEY = "missing-key":
        "A key that is needed is missing, or has no value. The help shows how it could look.";
    INVALID_VALUE = "invalid-value":
        "A value is not one of those its key can have. The help says what to write instead.";
    INVALID_PATH = "invalid-path":
        "Paths begin with `/` and have no query. Functions may have parameters in theirs: `{id}` \
         takes one segment, `{*rest}` at the end takes all that is left. A website's path is a plain \
         beginning, below which it answers everything.";
    FOREIGN_PATTERN = "foreign-pattern":
        "A path holds what is a pattern in other frameworks, such as `/:name`, `/*`, `/<name>` or \
         `/[name]`. Here these characters only mean themselves, so that hardly any request has such a \
         path. Functions write `/{name}` for one segment and `/{*path}` for all that is left, and a \
         parameter is always a whole segment. Websites answer everything below their path: `/` is all.";
    INVALID_DOMAIN = "invalid-domain":
        "A domain's `fqdn` is a host name without scheme, port and path, such as `shop.example.com`; \
         `*.example.com` covers every name directly below one. Names with other than ASCII letters \
         are written in their `xn--` form. Addresses are not names.";
    INVALID_RECORD = "invalid-record":
        "Something about a record of a domain's `records` is not as DNS has it. A `name` is relative to \
         the domain: `www`, `*.dev`, or `@` for the domain itself. A `value` is what a zone file has: an \
         address for A and AAAA, a whole host name for CNAME, ALIAS and NS, `10 mail.example.com` for MX, \
         `PRIORITY WEIGHT PORT HOST` for SRV, `0 issue \"letsencrypt.org\"` for CAA, any text for TXT, \
         which is cut into strings of 255 bytes by itself. A text in quotes is read as a zone file has it.";
    RECORD_OUTSIDE = "record-outside":
        "A record's name ends with a dot, so it is a whole name, and it is not within the domain. A node \
         answers only for names below the domains it was given. Put it into the file of its own domain.";
    RECORD_CONFLICT = "record-conflict":
        "Two records cannot both be answered. A CNAME or ALIAS replaces all that it points away from: a CNAME \
         stands alone at its name, and never at `@`, where the node's own records are; an ALIAS \
         replaces addresses only. Records of one name and type are kept together, so they have one TTL. \
         Names below one with NS records are another server's to answer, so that no domain can be there \
         either. And a name that is a domain of the project itself has its records in that domain's file.";
    RESERVED_RECORD = "reserved-record":
        "The node writes this record itself, or needs its name: NS records at `@` name the servers that answer \
         for the domain, and `_acme-challenge` holds what proves the domain to a certificate authority, \
         for minutes at a time. Whatever stood there beside would break one or the other.";
    INVALID_SIZE = "invalid-size":
        "A size is a number and a unit: `32MB` is 32,000,000 bytes, `32MiB` is 33,554,432. Units are \
         B, KB, MB, GB, TB and KiB, MiB, GiB, TiB.";
    NO_UNIT = "no-unit":
        "A size without a unit is a number of bytes: `memory: 64` is 64 bytes, of which a function gets \
         one page of WebAssembly, 64 KiB. Write the unit: `64MiB`, or `64MB`.";
    INVALID_DURATION = "invalid-duration":
        "A duration is one or more numbers with units: `20s`, `300ms`, `1h15m`, `1.5s`. Units are ns, \
         us, ms, s, m and h.";
    OUT_OF_RANGE = "out-of-range":
        "A number or a limit is smaller or larger than makes sense. A function without time or memory \
         could never answer, and a storage that keeps data for no time would keep none.";
    CAPPED_LIMIT = "capped-limit":
        "A function asks for more than it can get: 4 GiB of memory, which is all that WebAssembly can \
         address, and one hour of time, or less of both where the node's configuration says so. It \
         gets the most there is.";
    DEFAULT_LIMIT = "default-limit":
        "A function does not say how long it may be silent or how much memory it may use. It gets 30 seconds \
         and 128 MiB. Taubyte insists on both values; writing them also tells readers what to expect.";
    UNKNOWN_DOMAIN = "unknown-domain":
        "The `domains` of a function or website name files in `domains/`, not hosts. A name is looked \
         up in the resource's own application first, then at the top of the project.";
    UNKNOWN_LIBRARY = "unknown-library":
        "The `source` of a function or smartop names a file in `libraries/`. It is looked up in the \
         resource's own application first, then at the top of the project.";
    UNKNOWN_PROTOCOL = "unknown-protocol":
        "A function with a p2p trigger answers a protocol, and protocols are made known by the files in \
         `services/`: the function's `trigger.protocol` has to be the `protocol` of one of them, in the \
         function's own application or at the top of the project.";
    UNKNOWN_SMARTOP = "unknown-smartop":
        "A smartop is WebAssembly that Taubyte runs to decide whether a node may serve a resource. A tag \
         `smartops:<name>` attaches the one in `smartops/<name>.yaml`. There is \
         none of this name in the resource's own application or at the top of the project, so the tag \
         is only a word.";
    AMBIGUOUS_STORAGE = "ambiguous-storage":
        "A storage keeps files (`object`) or what is soon forgotten (`streaming`). One that says both \
         leaves open which it is.";
    DUPLICATE_ROUTE = "duplicate-route":
        "Two functions claim the same method, path and host, or two websites the same path and host. \
         Only one of them could ever answer. Parameters count as the same whatever they are called: \
         `/users/{id}` is `/users/{name}`.";
    REPEATED_VALUE = "repeated-value":
        "A list holds the same value twice. The second one has no effect. In `node.yaml` that is an error.";
    TOO_MANY = "too-many":
        "A list, or the project as a whole, has more entries than a node takes from one project: \
         1,000 entries of a list, 20 names that ALIAS records lead to, 100,000 routes (hosts times paths \
         times methods), 20,000 YAML files with 64 MiB together. The limits keep one project's mistake \
         from becoming every project's outage.";
    INVALID_VARIABLE = "invalid-variable":
        "The `variables` of a function reach it as its environment. Their names consist of letters, \
         digits and `_` and do not begin with a digit; their values have at most 32 KiB and no zero \
         bytes.";
    INVALID_DOTENV = "invalid-dotenv":
        "A line of `.env` could not be understood and was left out. Lines are `NAME=value`, with \
         quotes where the value has spaces at its ends or a `#`; other lines begin with `#`.";
    ASSUMED_SOURCE = "assumed-source":
        "A function's `source` says where its code is: `.` for the function's own files, or \
         `libraries/<name>`. Older projects leave it out; then `.` is meant.";
    NOT_SERVED_YET = "not-served-yet":
        "This part of the project is read and checked, but this version of Headgate has nothing that \
         would run it. It stops nothing else, and the file may stay as it is.";
    ARTEFACT_NOT_FOUND = "artefact-not-found":
        "A function or library is a WebAssembly file, and none was found at any of the places where it \
         may be. Headgate runs what was built and does not build: build the function, and see that the file \
         is part of the revision. In repositories `.gitignore` often leaves it out. Links and \
         submodules are not followed.";
    CODE_ELSEWHERE = "code-elsewhere":
        "This project has functions or websites and the code of none of them, and names other repositories \
         or has an id of Taubyte's. That is how Taubyte's \
         configuration repositories are: the code is in a repository beside it. The configuration is \
         checked as far as that goes. A node that follows only this repository has nothing to run, and \
         refuses the revision. It follows the others as well when the project's entry in `node.yaml` names \
         them: `code: URL` for the functions' code, `repositories: {acme/site: URL}` for a website or library in \
         a repository of its own.";
    SITE_NOT_FOUND = "site-not-found":
        "A website `front` is what is in the folder `websites/front/`, or in `websites/front/build.zip`, \
         beside `websites/front.yaml`, and neither was found. Put its files there, beginning with \
         `index.html`; or, if a build makes them, its output as `out/`, `dist/` or `build/` in that folder.";
    UNMAPPED_REPOSITORY = "unmapped-repository":
        "A website's or library's `source.github.fullname` names a repository of its own, and the project \
         has no files for it. A node finds that repository by `repositories` in `node.yaml`, which maps such names to \
         URLs: `repositories: {acme/site: https://github.com/acme/site.git}` under the project. A folder \
         `websites/front/` with its files, or `websites/front/build.zip`, does as well.";
    SITE_NOT_BUILT = "site-not-built":
        "A website's folder holds a `package.json` but no `out/`, `dist/` or `build/` with an \
         `index.html`. The folder itself is served, sources and all. Run the build and make its \
         output part of the revision.";
    SITE_WITHOUT_INDEX = "site-without-index":
        "A website's folder has no `index.html` at its top. Its files are served, but its first page \
         answers 404.";

    // Given by the gateway.
    INVALID_ARTEFACT = "invalid-artefact":
        "The file found for a function is not WebAssembly, nor a ZIP archive with a `main.wasm`, nor a \
         `.zwasm` file (WebAssembly as Taubyte's builder compressed it), or it is damaged or unpacks to \
         more than a node takes.";
    INVALID_SITE = "invalid-site":
        "A website's `build.zip` is damaged or encrypted, has names that lead out of it, or unpacks to \
         more than a node takes.";
    GUEST_DOES_NOT_COMPILE = "guest-does-not-compile":
        "The function's WebAssembly is damaged, or uses a part of WebAssembly that is not switched on here, \
         such as threads or garbage collection. The message says which. Build it without: toolchains have a \
         switch for each, and a very new one may use more by default.";
    IMPORT_NOT_PROVIDED = "import-not-provided":
        "The function imports an interface that nothing here provides. Components may import \
         `wasi:http` and what `wasi:cli` brings; core modules the `taubyte/sdk` functions and WASI \
         preview 1. A component is WebAssembly with a description of its types, as `wasm32-wasip2` \
         makes it; a core module is WebAssembly without. Build for `wasm32-wasip2`, or leave out the \
         library that needs the interface.";
    TOO_LITTLE_MEMORY = "too-little-memory":
        "A WebAssembly module says how large its memory is when it begins, and `execution.memory` gives \
         the function less. It could not even be started, so each request would fail. Modules that a \
         function is linked with count as well, as does the node's own limit, `executor.memory_limit`. \
         A function that runs takes more than its memory begins with: give it twice as much, and see.";
    MISSING_CALL = "missing-call":
        "A core module has no standard entry, so `execution.call` has to name the exported function to \
         call. Components do not need it.";
    UNKNOWN_EXPORT = "unknown-export":
        "`execution.call` names a function that the module does not export. Write one of those that \
         the help lists, or mark the function in the source as exported, such as `//export hello` in \
         TinyGo or `#[no_mangle] extern \"C\"` in Rust, and build again.";
    UNKNOWN_MODULE = "unknown-module":
        "A core module imports from another one by name, `libraries/x` or `functions/x`, and the project \
         has none of that name. A name is looked up in the application of the function that runs, then \
         at the top of the project.";
    NOT_LINKABLE = "not-linkable":
        "A core module imports from one that cannot be linked with it: a component, whose functions \
         other modules cannot call directly. Build the imported one as a core module (`wasm32-wasip1` \
         instead of `wasm32-wasip2`), or give both their code in one module.";
    IMPORT_MISMATCH = "import-mismatch":
        "A core module imports something from another one that is not exported there, or is of another \
         type. Both have to agree on parameters and results, and on the size of a memory or table.";
    MODULE_CYCLE = "module-cycle":
        "Modules import from each other in a circle. A module must be complete before another one can \
         import from it, so none of the circle could be the first.";
    TOO_MANY_MODULES = "too-many-modules":
        "A function and all modules it imports from are instantiated together for each request. There \
         are at most 16 of them, with 16 memories and 64 tables.";
    UNUSABLE_CERTIFICATE = "unusable-certificate":
        "A domain with `certificate: {type: inline}` brings a certificate and its private key, each as PEM \
         text or as the path of a file in the repository. Both have to belong together, the certificate has \
         to name the domain's host and to be valid now. While that is not so, the node shows one of its \
         own; nothing else about the domain changes.";
    UNUSABLE_CLIENT_CA = "unusable-client-ca":
        "A domain with `client_ca` lets in only clients whose certificate one of its authorities signed: PEM \
         text, or the path of a file in the repository, with one certificate or several. Each has to be an \
         authority's and valid now, and two files about one host have to say the same. Anything else is an \
         error, because a host that was to be closed must not be served open: what was served before \
         stays.";
    HOST_TAKEN = "host-taken":
        "Another project on this node already answers under this host, or under a pattern that \
         overlaps with it: `*.example.com` is every name directly below `example.com`. The first \
         accepted revision keeps it, so that nobody can take over a host by pushing. As soon as it \
         is free, the revision is tried again.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_kebab_case_and_explained() {
        let mut seen = HashSet::new();
        for (code, text) in ALL {
            assert!(seen.insert(code), "{code} twice");
            assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '8'), "{code}");
            assert!(text.ends_with('.') && !text.contains("  "), "{code}");
            assert_eq!(explain(code), Some(*text));
        }
        assert_eq!(explain("no-such-code"), None);
    }
}
