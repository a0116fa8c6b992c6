// Contract: none can be kept. `strange` calls a host function that no gateway has
// (module `acme/teleport`, function `beam`), so a project with it is refused before it is served.

__attribute__((import_module("acme/teleport"), import_name("beam"))) unsigned beam(unsigned event);

__attribute__((export_name("strange"))) unsigned strange(unsigned event) {
    return beam(event);
}
