//! Compiled code on disk: used when sound, made again when it is not.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{first, label, limits, score, wasm};
use omni_runtime::{Effects, Plugin, Runtime, RuntimeConfig};

fn runtime(cache: &Path) -> Runtime {
    let mut config = RuntimeConfig::default();
    config.workers = 1;
    config.cache_dir = Some(cache.to_owned());
    Runtime::new(config).expect("the engine starts")
}

fn works(runtime: &Runtime) {
    let loaded = runtime.load(&wasm("reward"), label("reward"), limits());
    let Ok(Plugin::Reward(reward)) = loaded else { panic!("{loaded:?}") };
    let group = score(&reward, &["score:0.5"], &Effects::default());
    assert_eq!(first(&group.rollouts[0]), 0.5);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

#[test]
fn code_is_compiled_once_and_kept_for_its_owner_alone() {
    let temporary = tempfile::tempdir().expect("a folder");
    let cache = temporary.path().join("deep/cache");
    works(&runtime(&cache));
    let mode = std::fs::metadata(&cache).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let [file] = files(&cache).try_into().expect("one file");
    let written = std::fs::metadata(&file).expect("there").modified().expect("a time");
    works(&runtime(&cache));
    assert_eq!(std::fs::metadata(&file).expect("there").modified().expect("a time"), written);
    assert_eq!(files(&cache).len(), 1);
}

#[test]
fn damaged_code_is_compiled_again() {
    let temporary = tempfile::tempdir().expect("a folder");
    let cache = temporary.path();
    works(&runtime(cache));
    let [file] = files(cache).try_into().expect("one file");
    let sound = std::fs::read(&file).expect("readable");
    let places = [0, 64, sound.len() / 3, sound.len() / 2, sound.len() - 41, sound.len() - 1];
    for place in places {
        let mut damaged = sound.clone();
        damaged[place] ^= 0x10;
        std::fs::write(&file, &damaged).expect("writable");
        works(&runtime(cache));
        assert_eq!(std::fs::read(&file).expect("readable"), sound, "byte {place}");
    }
    for length in [0, 10, sound.len() / 2, sound.len() - 1] {
        std::fs::write(&file, &sound[..length]).expect("writable");
        works(&runtime(cache));
        assert_eq!(std::fs::read(&file).expect("readable"), sound, "cut to {length}");
    }
}

#[test]
fn anothers_cache_folder_is_made_private() {
    let temporary = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(temporary.path(), open).expect("mine to change");
    works(&runtime(temporary.path()));
    let mode = std::fs::metadata(temporary.path()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
