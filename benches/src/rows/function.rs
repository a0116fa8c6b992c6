//! One function in each language: over HTTP, through the executor alone, and in wasmtime alone.

use crate::{
    bench::{Bench, Contender, On, binary_exists},
    binary::{sibling, workspace},
    child::{Child, free_address, stderr_file},
    gateway::{Gateway, QUIET, state_folder},
    guest::{GUESTS, Guest, RUST_COMPONENT},
    identity::HOST,
    load::{H1, Target},
    looping::Loop,
    measure::Samples,
    peer::{PINGORA, Peer},
    project::Project,
    report::{Aim, Line},
};

use super::reply::asked;

/// A function may cost what a bare reply costs, and this many times what wasmtime needs for the guest.
const WASMTIME_SHARE: f64 = 2.0;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let guests: Vec<Guest> =
        GUESTS.into_iter().filter(|guest| !(bench.quick && guest.heavy)).collect();
    let project = Project::new(bench.folder("project-")?)?;
    for guest in &guests {
        project.function(&function_name(guest), guest, &guest.wasm()?)?;
    }
    let gateway = Gateway::run(bench, &project, &state_folder(bench)?, QUIET)?;
    let pingora = Peer::pingora(bench)?;
    let bare = pingora.target("/");
    let serve = WasmtimeServe::start(bench)?;
    let mut measured = guests
        .iter()
        .map(|guest| Measured::start(bench, &gateway, guest))
        .collect::<anyhow::Result<Vec<_>>>()?;

    let mut contenders = vec![asked(bench, PINGORA, pingora.pid(), &bare, H1)];
    for one in &mut measured {
        contenders.extend(one.contenders(bench, gateway.pid()));
    }
    if let Some(serve) = &serve {
        contenders.push(asked(bench, SERVE, serve.child.pid(), &serve.target, H1));
    }
    bench.interleave(&mut contenders)?;

    let samples: Vec<Samples> = contenders.into_iter().map(|one| one.samples).collect();
    let mut samples = samples.into_iter();
    let mut next = || samples.next().expect("every contender has samples");
    let bare = next().median();
    let found: Vec<Found> = measured
        .iter()
        .map(|one| Found { guest: one.guest, http: next(), executor: next(), wasmtime: next() })
        .collect();
    let serve = serve.is_some().then(|| next().median());

    let mut lines: Vec<Line> = found.iter().map(|found| found.http_line(bare)).collect();
    lines.extend(found.iter().filter(|f| f.guest.name == RUST_COMPONENT.name).map(|found| {
        let name = format!("function h1: {}", found.guest.language);
        Line::new(name, "µs CPU", &found.http).against(SERVE, serve)
    }));
    let alone = found.iter().zip(&measured);
    lines.extend(alone.map(|(found, measured)| found.executor_line(measured)));
    Ok(lines)
}

const SERVE: &str = "`wasmtime serve`";

/// A guest in its three places.
struct Measured {
    guest: Guest,
    target: Target,
    executor: Loop,
    wasmtime: Loop,
}

impl Measured {
    fn start(bench: &Bench, gateway: &Gateway, guest: &Guest) -> anyhow::Result<Self> {
        let folder = bench.folder("loop-")?;
        let wasm = folder.join("guest.wasm");
        std::fs::write(&wasm, guest.wasm()?)?;
        let spawn = |program: &str, natives: bool| {
            let mut command = bench.command(On::Server, sibling(program)?);
            if natives {
                command.arg(folder.join("natives"));
            }
            command.arg(&wasm).args(guest.call);
            Loop::spawn(program, &mut command, stderr_file(&folder, program))
        };
        Ok(Self {
            guest: *guest,
            target: gateway.target(format!("/{}", function_name(guest))),
            executor: spawn("loop_executor", true)?,
            wasmtime: spawn("loop_wasmtime", false)?,
        })
    }

    /// In the order of [`Found`].
    fn contenders<'a>(&'a mut self, bench: &'a Bench, gateway: u32) -> [Contender<'a>; 3] {
        let name = |place| format!("{} {place}", self.guest.language);
        [
            asked(bench, &name("over HTTP"), gateway, &self.target, H1),
            Contender::new(name("in the executor"), |seconds| self.executor.turn(seconds)),
            Contender::new(name("in wasmtime"), |seconds| self.wasmtime.turn(seconds)),
        ]
    }
}

/// What a guest costs in its three places, in microseconds of CPU.
struct Found {
    guest: Guest,
    http: Samples,
    executor: Samples,
    wasmtime: Samples,
}

impl Found {
    fn http_line(&self, bare: f64) -> Line {
        let alone = self.wasmtime.median();
        let allowed = bare + WASMTIME_SHARE * alone;
        Line::new(format!("function h1: {}", self.guest.language), "µs CPU", &self.http)
            .against("`ServeHttp` + 2 × wasmtime alone", Some(allowed))
            .aim(Aim { value: self.guest.aim, ratio: Some(1.0) })
            .note(format!("`ServeHttp` {bare:.1}, wasmtime alone {alone:.1}"))
    }

    fn executor_line(&self, measured: &Measured) -> Line {
        let line = Line::new(format!("invoke: {}", self.guest.language), "µs CPU", &self.executor)
            .against("wasmtime alone", Some(self.wasmtime.median()));
        match measured.executor.last {
            Some(round) => line.note(format!(
                "one call takes {:.1} µs, 99 of 100 at most {:.1}",
                round.p50_us, round.p99_us
            )),
            None => line,
        }
    }
}

/// wasmtime's own server, where somebody installed it.
struct WasmtimeServe {
    child: Child,
    target: Target,
}

impl WasmtimeServe {
    fn start(bench: &Bench) -> anyhow::Result<Option<Self>> {
        if !binary_exists("wasmtime") {
            return Ok(None);
        }
        let address = free_address()?;
        let name = RUST_COMPONENT.name;
        let wasm = workspace().join(format!("tests/guests/{name}/{name}.wasm"));
        let mut command = bench.command(On::Server, "wasmtime");
        command.args(["serve", "--addr", &address.to_string()]).arg(wasm);
        let child =
            Child::spawn(SERVE, &mut command, stderr_file(&bench.folder("serve-")?, "serve"))?;
        child.await_listening(address, std::time::Duration::from_secs(60))?;
        Ok(Some(Self { child, target: Target { address, host: HOST, path: "/".to_owned() } }))
    }
}

/// Resource names have no dashes.
fn function_name(guest: &Guest) -> String {
    guest.name.replace('-', "_")
}
