//! What a component imports and exports, and whether that makes it a plugin of this host.
//!
//! Read from its type alone, before anything of it is compiled or run.

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::error::LoadError;

/// The contract version that this host speaks.
pub const SUPPORTED_VERSION: &str = "0.1.0";
/// The package that the contract is.
const PACKAGE: &str = "omni:plugin/";
/// The one interface with functions that a plugin may import.
pub(crate) const LOG_INTERFACE: &str = "omni:plugin/log@0.1.0";

/// The five kinds of plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A source of problems.
    Task,
    /// A verifier.
    Reward,
    /// Comparisons to verdicts.
    Judge,
    /// Runs programs.
    Interpreter,
    /// Says which tasks come next.
    Scheduler,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Task, Self::Reward, Self::Judge, Self::Interpreter, Self::Scheduler];

    /// Its name, which is also its interface's.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Reward => "reward",
            Self::Judge => "judge",
            Self::Interpreter => "interpreter",
            Self::Scheduler => "scheduler",
        }
    }

    /// The functions that its interface has.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Task => &["splits", "items"],
            Self::Reward => &["components", "score"],
            Self::Judge => &["decide"],
            Self::Interpreter => &["languages", "run"],
            Self::Scheduler => &["start", "next"],
        }
    }

    fn interface(self) -> String {
        format!("{PACKAGE}{}@{SUPPORTED_VERSION}", self.as_str())
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One import or export.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Interface {
    /// Its name as the component has it, with package and version.
    pub name: String,
    /// Its functions; none for an interface of types alone.
    pub functions: Vec<String>,
    /// True for anything that is not a plain interface: a function, module or component.
    pub bare: bool,
}

/// A component's surface.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Inspection {
    /// What it imports.
    pub imports: Vec<Interface>,
    /// What it exports.
    pub exports: Vec<Interface>,
    /// Bytes of the component.
    pub size: usize,
}

impl Inspection {
    /// Reads a component's type; function bodies are skipped, not validated.
    ///
    /// # Errors
    /// When the bytes are not a well-formed component.
    pub fn read(wasm: &[u8]) -> Result<Self, LoadError> {
        let refuse = |reason: String| LoadError::NotAComponent { reason };
        if Parser::is_core_wasm(wasm) {
            return Err(refuse(
                "it is a core module; `omni-host pack build` makes components of modules".into(),
            ));
        }
        if !Parser::is_component(wasm) {
            return Err(refuse("the file does not begin like one".into()));
        }
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut imports = Vec::new();
        let mut exports = Vec::new();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.map_err(|e| refuse(e.to_string()))?;
            let outermost = depth == 0;
            match &payload {
                Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
                Payload::End(_) if !outermost => depth -= 1,
                Payload::ComponentImportSection(section) if outermost => {
                    for import in section.clone() {
                        let import = import.map_err(|e| refuse(e.to_string()))?;
                        imports.push(import.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if outermost => {
                    for export in section.clone() {
                        let export = export.map_err(|e| refuse(e.to_string()))?;
                        exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
            if let wasmparser::ValidPayload::End(types) =
                validator.payload(&payload).map_err(|e| refuse(e.to_string()))?
                && outermost
            {
                let types = types.as_ref();
                let describe = |name: &String, entity: Option<ComponentEntityType>| {
                    let mut functions = Vec::new();
                    let bare = match entity {
                        Some(ComponentEntityType::Instance(id)) => {
                            for (name, item) in &types[id].exports {
                                if matches!(item.ty, ComponentEntityType::Func(_)) {
                                    functions.push(name.clone());
                                }
                            }
                            false
                        }
                        Some(ComponentEntityType::Type {
                            referenced: ComponentAnyTypeId::Defined(_),
                            ..
                        }) => false,
                        _ => true,
                    };
                    Interface { name: name.clone(), functions, bare }
                };
                return Ok(Self {
                    imports: imports
                        .iter()
                        .map(|n| describe(n, types.component_item_for_import(n).map(|i| i.ty)))
                        .collect(),
                    exports: exports
                        .iter()
                        .map(|n| describe(n, types.component_item_for_export(n).map(|i| i.ty)))
                        .collect(),
                    size: wasm.len(),
                });
            }
        }
        Err(refuse("it ends too early".into()))
    }

    /// The contract version that its plugin interface, or any of its imports, names.
    #[must_use]
    pub fn wit_version(&self) -> Option<&str> {
        self.exports
            .iter()
            .chain(&self.imports)
            .find_map(|i| i.name.strip_prefix(PACKAGE)?.split_once('@').map(|(_, v)| v))
    }

    /// The interfaces that count as imports: those with functions, and everything odd.
    #[must_use]
    pub fn effective_imports(&self) -> Vec<&Interface> {
        self.imports.iter().filter(|i| i.bare || !i.functions.is_empty()).collect()
    }

    /// Which kind of plugin it is.
    ///
    /// # Errors
    /// When it is none of this host's: another version, an import that plugins do not get,
    /// or an export that is missing.
    pub fn kind(&self) -> Result<Kind, LoadError> {
        for interface in self.exports.iter().chain(&self.imports) {
            if let Some((_, version)) =
                interface.name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'))
                && version != SUPPORTED_VERSION
            {
                return Err(LoadError::Version {
                    found: interface.name.clone(),
                    supported: format!("omni:plugin@{SUPPORTED_VERSION}"),
                });
            }
        }
        for import in self.effective_imports() {
            let unknown = import.functions.iter().find(|f| f.as_str() != "write");
            if import.bare || import.name != LOG_INTERFACE || unknown.is_some() {
                let function = unknown.map_or(String::new(), |f| format!(".{f}"));
                return Err(LoadError::UnknownImport {
                    import: format!("{}{function}", import.name),
                    allowed: LOG_INTERFACE.to_owned(),
                });
            }
        }
        let found: Vec<(Kind, &Interface)> = Kind::ALL
            .into_iter()
            .filter_map(|kind| {
                let wanted = kind.interface();
                self.exports.iter().find(|e| e.name == wanted).map(|e| (kind, e))
            })
            .collect();
        match found.as_slice() {
            [] => Err(LoadError::NoKind {
                found: names(self.exports.iter().map(|e| e.name.as_str())),
                wanted: names(Kind::ALL.map(Kind::interface).iter().map(String::as_str)),
            }),
            [(kind, interface)] => {
                for function in kind.functions() {
                    if !interface.functions.iter().any(|f| f == function) {
                        return Err(LoadError::Mismatch {
                            interface: interface.name.clone(),
                            reason: format!("the function `{function}` is missing"),
                        });
                    }
                }
                Ok(*kind)
            }
            several => Err(LoadError::SeveralKinds {
                found: names(several.iter().map(|(_, e)| e.name.as_str())),
            }),
        }
    }
}

/// The same from compiled code, which was validated when it was compiled.
pub(crate) fn of_component(engine: &Engine, component: &Component, size: usize) -> Inspection {
    let describe = |name: &str, item: ComponentItem| {
        let mut functions = Vec::new();
        let bare = match item {
            ComponentItem::ComponentInstance(instance) => {
                for (name, item) in instance.exports(engine) {
                    if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                        functions.push(name.to_owned());
                    }
                }
                false
            }
            ComponentItem::Type(_) => false,
            _ => true,
        };
        Interface { name: name.to_owned(), functions, bare }
    };
    let ty = component.component_type();
    Inspection {
        imports: ty.imports(engine).map(|(n, i)| describe(n, i.ty)).collect(),
        exports: ty.exports(engine).map(|(n, i)| describe(n, i.ty)).collect(),
        size,
    }
}

fn names<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let list: Vec<String> = items.map(|n| format!("`{n}`")).collect();
    if list.is_empty() { "nothing".into() } else { list.join(", ") }
}
