//! Components that are refused before anything of them runs, with both sides named.

mod common;

use common::{label, limits, runtime, wasm};
use omni_runtime::{Kind, LoadError, Plugin};

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own component is well formed")
}

fn refusal(wasm: &[u8]) -> LoadError {
    match runtime(1).load(wasm, label("refused"), limits()) {
        Err(error) => error,
        Ok(plugin) => panic!("loaded {plugin:?}"),
    }
}

#[test]
fn each_kind_is_read_from_the_components_type() {
    let runtime = runtime(1);
    for kind in ["task", "reward", "judge", "interpreter", "scheduler"] {
        let wasm = wasm(kind);
        let inspection = runtime.inspect(&wasm).expect("a component");
        assert_eq!(inspection.kind().expect("a plugin").as_str(), kind);
        assert_eq!(inspection.wit_version(), Some("0.1.0"));
        assert_eq!(inspection.size, wasm.len());
        for import in inspection.effective_imports() {
            assert_eq!(import.name, "omni:plugin/log@0.1.0");
        }
        let plugin = runtime.load(&wasm, label(kind), limits()).expect("loads");
        assert_eq!(plugin.kind().as_str(), kind);
        assert_eq!(plugin.label(), &label(kind));
    }
}

#[test]
fn what_is_no_component_is_refused() {
    for bytes in [&b""[..], b"hello", b"\0asm\x01\0\0\0"] {
        assert!(matches!(refusal(bytes), LoadError::NotAComponent { .. }));
    }
    let whole = wasm("reward");
    for cut in [9, 100, whole.len() / 2, whole.len() - 1] {
        let error = refusal(&whole[..cut]);
        assert!(matches!(error, LoadError::NotAComponent { .. }), "{cut}: {error}");
    }
}

#[test]
fn an_undeclared_import_is_refused_by_name() {
    let error = refusal(&component(
        r#"(component (import "wasi:cli/environment@0.2.0" (instance
             (export "get-arguments" (func (result (list string)))))))"#,
    ));
    let LoadError::UnknownImport { import, allowed } = &error else { panic!("{error}") };
    assert_eq!(import, "wasi:cli/environment@0.2.0.get-arguments");
    assert_eq!(allowed, "omni:plugin/log@0.1.0");
    let error = refusal(&component(r#"(component (import "fetch" (func (param "url" string))))"#));
    assert!(matches!(error, LoadError::UnknownImport { .. }), "{error}");
    let error = refusal(&component(
        r#"(component (import "omni:plugin/log@0.1.0" (instance (export "read" (func)))))"#,
    ));
    assert!(error.to_string().contains("omni:plugin/log@0.1.0.read"), "{error}");
}

#[test]
fn an_interface_of_types_alone_is_no_import() {
    let error = refusal(&component(
        r#"(component (import "wasi:io/shapes@0.2.0" (instance
             (type $t (record (field "n" u32)))
             (export "shape" (type (eq $t))))))"#,
    ));
    // What is wrong with it is that it is no plugin, not what it imports.
    assert!(matches!(error, LoadError::NoKind { .. }), "{error}");
}

#[test]
fn another_contract_version_is_refused_and_both_are_named() {
    let error = refusal(&component(
        r#"(component
             (core module $m (func (export "f")))
             (core instance $i (instantiate $m))
             (func $f (canon lift (core func $i "f")))
             (instance $reward (export "score" (func $f)))
             (export "omni:plugin/reward@0.9.0" (instance $reward)))"#,
    ));
    let LoadError::Version { found, supported } = &error else { panic!("{error}") };
    assert_eq!(found, "omni:plugin/reward@0.9.0");
    assert_eq!(supported, "omni:plugin@0.1.0");
}

#[test]
fn a_missing_export_is_named() {
    let error = refusal(&component("(component)"));
    let LoadError::NoKind { found, wanted } = &error else { panic!("{error}") };
    assert_eq!(found, "nothing");
    assert!(wanted.contains("omni:plugin/scheduler@0.1.0"));
    let lifted = |name: &str, function: &str| {
        component(&format!(
            r#"(component
                 (core module $m (func (export "f")))
                 (core instance $i (instantiate $m))
                 (func $f (canon lift (core func $i "f")))
                 (instance $x (export "{function}" (func $f)))
                 (export "omni:plugin/{name}@0.1.0" (instance $x)))"#
        ))
    };
    let error = refusal(&lifted("reward", "components"));
    let LoadError::Mismatch { interface, reason } = &error else { panic!("{error}") };
    assert_eq!(interface, "omni:plugin/reward@0.1.0");
    assert!(reason.contains("`score` is missing"), "{reason}");
    // There, but of another type.
    let error = refusal(&lifted("judge", "decide"));
    let LoadError::Mismatch { interface, .. } = &error else { panic!("{error}") };
    assert_eq!(interface, "omni:plugin/judge@0.1.0");
}

#[test]
fn a_component_of_two_kinds_is_refused() {
    let error = refusal(&component(
        r#"(component
             (core module $m (func (export "f")))
             (core instance $i (instantiate $m))
             (func $f (canon lift (core func $i "f")))
             (instance $x (export "decide" (func $f)))
             (export "omni:plugin/judge@0.1.0" (instance $x))
             (export "omni:plugin/task@0.1.0" (instance $x)))"#,
    ));
    assert!(matches!(error, LoadError::SeveralKinds { .. }), "{error}");
}

#[test]
fn plugins_outlive_the_handle_that_loaded_them() {
    let plugin = {
        let runtime = runtime(1);
        runtime.load(&wasm("task"), label("task"), limits()).expect("loads")
    };
    let Plugin::Task(task) = plugin.clone() else { panic!("{plugin:?}") };
    assert_eq!(plugin.kind(), Kind::Task);
    assert_eq!(task.splits("{}").expect("still runs").len(), 2);
}
