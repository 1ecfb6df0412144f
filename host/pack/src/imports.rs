//! What a component imports and exports, read from its type.

use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::error::PackError;
use crate::manifest::Kind;

/// The contract that this version builds for.
pub(crate) const WIT: &str = include_str!("../../../wit/0.1.0/omni.wit");
const PACKAGE: &str = "omni:plugin/";
const VERSION: &str = "@0.1.0";

/// Checks that a component is of its kind and imports the log alone.
///
/// Interfaces that hold only types cost nothing and do not count.
pub(crate) fn check(wanted: &str, kind: Kind, bytes: &[u8]) -> Result<(), PackError> {
    let wrong = |message: String| PackError::Component { wanted: wanted.to_owned(), message };
    if bytes.get(..8) == Some(b"\0asm\x01\0\0\0") {
        return Err(wrong("is a core WASM module, not a component".to_owned()));
    }
    let decoded = wit_component::decode(bytes)
        .map_err(|error| wrong(format!("is no WASM component: {error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(wrong("is a WIT package, not a component".to_owned()));
    };
    let world = &resolve.worlds[world];
    let log = format!("{PACKAGE}log{VERSION}");
    let foreign: Vec<_> = world
        .imports
        .iter()
        .filter(|(_, item)| has_functions(&resolve, item))
        .map(|(key, _)| name(&resolve, key))
        .filter(|name| *name != log)
        .collect();
    if !foreign.is_empty() {
        return Err(wrong(format!(
            "imports {}, but a plugin may import {log} alone",
            foreign.join(", ")
        )));
    }
    let export = format!("{PACKAGE}{kind}{VERSION}");
    let exports: Vec<_> = world.exports.keys().map(|key| name(&resolve, key)).collect();
    if !exports.contains(&export) {
        let has = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(wrong(format!(
            "is to be a {kind} and so to export {export}; it exports {has}"
        )));
    }
    Ok(())
}

fn has_functions(resolve: &Resolve, item: &WorldItem) -> bool {
    match item {
        WorldItem::Interface { id, .. } => !resolve.interfaces[*id].functions.is_empty(),
        WorldItem::Function(_) => true,
        WorldItem::Type { .. } => false,
    }
}

fn name(resolve: &Resolve, key: &WorldKey) -> String {
    resolve.name_world_key(key)
}
