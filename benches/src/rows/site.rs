//! Website files, small and large, beside nginx.

use std::fs;

use crate::{
    bench::{Bench, Contender},
    gateway::{Gateway, QUIET, state_folder},
    load::{H1, Wire},
    peer::{NGINX, Peer},
    project::Project,
    report::Line,
};

/// A large answer fills a connection for long; more of them only fill socket buffers.
const LARGE: Wire = Wire::H1 { connections: 8 };

/// Name, size in bytes, load.
const FILES: [(&str, usize, Wire); 2] = [("1k.bin", 1 << 10, H1), ("1m.bin", 1 << 20, LARGE)];
const BYTES_PER_MB: f64 = 1e6;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let project = Project::new(bench.folder("project-")?)?;
    let theirs = bench.folder("site-")?;
    project.website()?;
    project.site_file("index.html", "<!doctype html><title>Bench</title>")?;
    for (name, size, _) in FILES {
        project.site_file(name, content(size))?;
        fs::write(theirs.join(name), content(size))?;
    }
    let gateway = Gateway::run(bench, &project, &state_folder(bench)?, QUIET)?;
    let nginx = Peer::nginx(bench, &theirs)?;

    let mut lines = Vec::new();
    for (name, size, wire) in FILES {
        let ours = gateway.target(format!("/{name}"));
        let theirs =
            nginx.as_ref().map(|nginx| (nginx.pid(), nginx.target(format!("/site/{name}"))));
        let mut contenders =
            vec![super::reply::asked(bench, "headgate", gateway.pid(), &ours, wire)];
        contenders.extend(
            theirs
                .iter()
                .map(|(pid, target)| super::reply::asked(bench, NGINX, *pid, target, wire)),
        );
        bench.interleave(&mut contenders)?;
        lines.extend(lines_of(size, &contenders));
    }
    Ok(lines)
}

fn lines_of(size: usize, contenders: &[Contender<'_>]) -> Vec<Line> {
    let ours = &contenders[0].samples;
    let theirs = contenders.get(1).map(|nginx| nginx.samples.median());
    if size < 1 << 20 {
        let line = Line::new(format!("website file, {} KiB", size >> 10), "µs CPU", ours);
        return vec![line.against(NGINX, theirs)];
    }
    let per_mb = BYTES_PER_MB / size as f64;
    let name = format!("website file, {} MiB", size >> 20);
    let line = Line::new(name, "µs CPU / MB", &ours.scaled(per_mb));
    vec![line.against(NGINX, theirs.map(|value| value * per_mb)).note("nginx uses sendfile")]
}

/// Nothing that compresses: the file itself is what is sent.
fn content(size: usize) -> Vec<u8> {
    // Multiplicative congruence (Park and Miller); any noise will do.
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state * 48_271 % 0x7fff_ffff;
        (state >> 8) as u8
    })
    .take(size)
    .collect()
}
