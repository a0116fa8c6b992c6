//! A guest that makes whatever host calls a program of bytes asks for, with whatever arguments.
//!
//! Shared with the fuzz target `host_calls`.

use std::fmt::Write as _;

/// Most calls of one program; longer ones are cut.
pub(crate) const CALLS: usize = 500;
/// The memory the guest begins with. The program stands in its second half.
const MEMORY: u64 = 4 << 16;
const PROGRAM: u64 = MEMORY / 2;
/// An index and room for the arguments of the longest signature.
const RECORD: usize = 8 + 8 * MOST_ARGUMENTS;
const MOST_ARGUMENTS: usize = 14;

/// A host function as the lists beside this file describe it.
pub(crate) struct HostFunction {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    /// `i32` or `i64` each.
    pub(crate) params: Vec<&'static str>,
    pub(crate) returns: bool,
    /// What its parameters are called, as far as that is known.
    pub(crate) names: Vec<&'static str>,
    /// The error numbers of its own.
    pub(crate) errors: Vec<u32>,
}

pub(crate) fn functions() -> Vec<HostFunction> {
    let lists = [
        ("taubyte/sdk", include_str!("taubyte_sdk.txt")),
        ("wasi_snapshot_preview1", include_str!("wasi_preview1.txt")),
    ];
    let lines = lists.into_iter().flat_map(|(module, list)| {
        list.lines().filter(|line| !line.starts_with('#')).map(move |line| (module, line))
    });
    lines.map(|(module, line)| HostFunction::parse(module, line)).collect()
}

impl HostFunction {
    fn parse(module: &'static str, line: &'static str) -> Self {
        let mut fields = line.split(" ;");
        let (name, signature) = fields.next().unwrap_or_default().split_once(' ').unwrap();
        let params = signature.split_once("(param ").map_or("", |(_, params)| params);
        let (params, _) = params.split_once(')').unwrap_or_default();
        let names = fields.next().unwrap_or_default().split_whitespace().collect();
        let errors = fields.next().unwrap_or_default().split_whitespace();
        Self {
            module,
            name,
            params: params.split_whitespace().collect(),
            returns: signature.contains("(result"),
            names,
            errors: errors.map(|number| number.parse().unwrap()).collect(),
        }
    }

    /// Its import, called `$name` in the module.
    pub(crate) fn import(&self, id: &str) -> String {
        let Self { module, name, params, returns, .. } = self;
        let result = if *returns { "(result i32)" } else { "" };
        format!(
            r#"(import "{module}" "{name}" (func ${id} (param {}) {result}))"#,
            params.join(" ")
        )
    }
}

/// The guest, as WebAssembly text. Its entry is `main`.
pub(crate) fn guest() -> String {
    let functions = functions();
    let count = functions.len();
    let (mut imports, mut calls) = (String::new(), String::new());
    for (nth, function) in functions.iter().enumerate() {
        imports.push_str(&function.import(&format!("host{nth}")));
        let arguments: String = (function.params.iter().enumerate())
            .map(|(at, ty)| format!("({ty}.load offset={} (local.get 0))", 8 + 8 * at))
            .collect();
        let result = if function.returns { "" } else { "(i32.const 0)" };
        write!(
            calls,
            "(func $call{nth} (param i32) (result i32) (call $host{nth} {arguments}) {result})"
        )
        .unwrap();
    }
    let table: String = (0..count).map(|nth| format!(" $call{nth}")).collect();
    // What is called may overwrite the program, so nothing of it is trusted.
    format!(
        r#"(module {imports}
        (import "taubyte/sdk" "readHttpEventBody" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 4)
        (type $call (func (param i32) (result i32)))
        (table {count} funcref) (elem (i32.const 0) {table})
        {calls}
        (func (export "main") (param $event i32) (local $end i32) (local $at i32)
            (local.set $end (i32.const {PROGRAM}))
            (block $complete (loop $more
                (br_if $complete (call $read (local.get $event) (local.get $end)
                    (i32.sub (i32.const {MEMORY}) (local.get $end)) (i32.const 0)))
                (br_if $complete (i32.eqz (i32.load (i32.const 0))))
                (local.set $end (i32.add (local.get $end) (i32.load (i32.const 0))))
                (br $more)))
            (local.set $at (i32.const {PROGRAM}))
            (block $done (loop $next
                (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const {RECORD})) (local.get $end)))
                (drop (call_indirect (type $call) (local.get $at)
                    (i32.rem_u (i32.load (local.get $at)) (i32.const {count}))))
                (local.set $at (i32.add (local.get $at) (i32.const {RECORD})))
                (br $next)))))"#
    )
}

/// The program that bytes stand for: one for the function, one for each of its arguments.
pub(crate) fn program(bytes: &[u8]) -> Vec<u8> {
    let functions = functions();
    let mut bytes = bytes.iter().copied();
    let mut program = Vec::new();
    while program.len() < CALLS * RECORD {
        let Some(index) = bytes.next() else { break };
        let index = usize::from(index) % functions.len();
        let mut record = [0; RECORD];
        record[0] = index.to_le_bytes()[0];
        for at in 0..functions[index].params.len() {
            let value = argument(bytes.next().unwrap_or_default());
            record[8 + 8 * at..][..8].copy_from_slice(&value.to_le_bytes());
        }
        program.extend_from_slice(&record);
    }
    program
}

/// Small numbers, for ids, sizes and places; and what lies at edges.
fn argument(byte: u8) -> u64 {
    const EDGES: [u64; 24] = [
        MEMORY - 1,
        MEMORY - 4,
        MEMORY - 8,
        MEMORY,
        MEMORY + 1,
        PROGRAM,
        PROGRAM - 8,
        1 << 12,
        1 << 16,
        (1 << 16) - 1,
        1 << 20,
        (1 << 31) - 1,
        1 << 31,
        u32::MAX as u64 - 65_535,
        u32::MAX as u64 - 7,
        u32::MAX as u64 - 3,
        u32::MAX as u64,
        1 << 32,
        1 << 40,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
        0,
    ];
    match byte {
        0..=95 => u64::from(byte),
        96..=191 => u64::from(byte - 96) * 64,
        _ => EDGES[usize::from(byte - 192) % EDGES.len()],
    }
}
