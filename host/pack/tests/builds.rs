//! Building: what is put together, what is left alone, what is refused.
//!
//! The components here are made by wit-component, so that no compiler is
//! needed; that the real ones are built is what `cargo xtask test` shows.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use omni_pack::{BuildOptions, BuildReport, Lock, PackError, build};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

const WIT: &str = include_str!("../../../wit/0.1.0/omni.wit");

/// A component of a world of the contract, or of one that is added to it.
fn component(world: &str, extra: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("omni.wit", &format!("{WIT}\n{extra}")).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap().validate(true);
    encoder.encode().unwrap()
}

fn write(dir: &Path, wasm: &[u8]) {
    fs::create_dir_all(dir.join("prompts")).unwrap();
    fs::write(dir.join("r.wasm"), wasm).unwrap();
    fs::write(dir.join("prompts/p.txt"), "{{ prompt }}").unwrap();
    fs::create_dir_all(dir.join("asked")).unwrap();
    fs::write(dir.join("asked/first.txt"), "Which?").unwrap();
    fs::write(dir.join("rows.jsonl"), "{\"prompt\": \"?\"}\n").unwrap();
    fs::write(dir.join("notes.txt"), "not for the pack").unwrap();
    fs::write(
        dir.join("pack.toml"),
        "[pack]\nname = \"p\"\nversion = \"0.1.0\"\n[[component]]\nname = \"r\"\nkind = \"reward\"\n\
         wasm = \"r.wasm\"\nconfig_files = { prompt = \"asked/first.txt\" }\n[[task]]\nname = \"t\"\nrewards = [{ use = \"r\" }]\n\
         template = \"prompts/p.txt\"\nsource = { data = \"rows.jsonl\" }\n",
    )
    .unwrap();
}

fn built(root: &Path) -> Result<BuildReport, PackError> {
    let options = BuildOptions { target: root.join("target"), progress: &|_| {} };
    build(&[root.join("source")], &root.join("out"), &options)
}

#[test]
fn a_pack_is_written_once_and_locked() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("source"), &component("reward-plugin", ""));
    let report = built(root.path()).unwrap();
    assert!(report.packs[0].written);
    let dir = root.path().join("out/p");
    let lock = Lock::read(&dir).unwrap();
    let files: Vec<_> = lock.files.keys().map(String::as_str).collect();
    assert_eq!(files, ["asked/first.txt", "pack.toml", "prompts/p.txt", "r.wasm", "rows.jsonl"]);
    assert!(lock.differences(&dir).unwrap().is_empty());

    assert!(!built(root.path()).unwrap().packs[0].written, "nothing has changed");
    fs::write(root.path().join("source/prompts/p.txt"), "Q: {{ prompt }}").unwrap();
    assert!(built(root.path()).unwrap().packs[0].written);
    let text = fs::read_to_string(dir.join("prompts/p.txt")).unwrap();
    assert_eq!(text, "Q: {{ prompt }}");
    assert_eq!(lock.differences(&dir).unwrap(), ["prompts/p.txt"]);

    fs::write(root.path().join("source/asked/first.txt"), "Which one?").unwrap();
    assert!(built(root.path()).unwrap().packs[0].written, "a prompt is part of the pack");
    let set = omni_pack::PackSet::load(&[&dir]).unwrap();
    let reward = set.component("r", omni_pack::Kind::Reward).unwrap();
    assert_eq!(reward.config["prompt"], "Which one?");
    assert_eq!(reward.config_files, ["asked/first.txt"]);

    fs::remove_file(dir.join("r.wasm")).unwrap();
    assert!(built(root.path()).unwrap().packs[0].written, "a file is missing");
}

#[test]
fn components_of_another_kind_or_with_imports_are_refused() {
    let extra = "interface net { fetch: func(url: string) -> string; }\n\
                 world greedy { import log; import net; export reward; }";
    for (wasm, expected) in [
        (component("judge-plugin", ""), "p/r: is to be a reward"),
        (component("greedy", extra), "p/r: imports omni:plugin/net@0.1.0, but a plugin may"),
        (b"\0asm\x01\0\0\0".to_vec(), "p/r: is a core WASM module, not a component"),
        (b"nonsense".to_vec(), "p/r: is no WASM component"),
    ] {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("source"), &wasm);
        let error = built(root.path()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!root.path().join("out").exists(), "nothing is written");
    }
}
