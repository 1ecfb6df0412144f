//! Every broken manifest in `manifests/` gets exactly the message beside it,
//! with file, line and key. `BLESS=1` writes the messages again.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use omni_pack::PackSet;

#[test]
fn broken_manifests_are_told_by_file_line_and_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut seen = 0;
    let mut wrong = Vec::new();
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    cases.sort();
    for case in cases.iter().filter(|path| path.extension().is_some_and(|it| it == "toml")) {
        let place = tempfile::tempdir().unwrap();
        let pack = place.path().join("pack");
        fs::create_dir(&pack).unwrap();
        fs::copy(case, pack.join("pack.toml")).unwrap();
        for wasm in ["r.wasm", "j.wasm"] {
            fs::write(pack.join(wasm), "").unwrap();
        }
        fs::create_dir(pack.join("prompts")).unwrap();
        fs::write(pack.join("latin1.txt"), b"caf\xe9").unwrap();
        fs::write(pack.join("long.txt"), "x".repeat(65_537)).unwrap();
        let error = PackSet::load(&[&pack]).expect_err(&case.display().to_string());
        let message = error.to_string().replace(&pack.display().to_string(), "DIR") + "\n";
        let golden = case.with_extension("err");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &message).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != message {
            wrong.push(format!("{}:\n{message}", case.display()));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 15, "only {seen} cases were found");
}
