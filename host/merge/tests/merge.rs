//! Merges of small folders: numbers from the fixtures, streaming against naive, bad folders.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omni_merge::{Merge, Method, NumberType, Scope};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn load(file: &Path) -> Tensors {
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors
        .iter()
        .map(|(name, it)| (name.to_owned(), (it.dtype(), it.shape().to_vec(), it.data().to_vec())))
        .collect()
}

fn save(file: &Path, tensors: &Tensors) {
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, (kind, shape, data))| {
            (name.clone(), TensorView::new(*kind, shape.clone(), data).unwrap())
        })
        .collect();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|it| it.to_le_bytes()).collect()
}

fn numbers(tensor: &(Dtype, Vec<usize>, Vec<u8>)) -> Vec<f64> {
    match tensor.0 {
        Dtype::F64 => tensor.2.as_chunks().0.iter().map(|it| f64::from_le_bytes(*it)).collect(),
        Dtype::F32 => {
            tensor.2.as_chunks().0.iter().map(|it| f64::from(f32::from_le_bytes(*it))).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Tensors whose names begin with `prefix.`, without it.
fn part(all: &Tensors, prefix: &str) -> Tensors {
    let prefix = format!("{prefix}.");
    all.iter()
        .filter_map(|(name, it)| Some((name.strip_prefix(&prefix)?.to_owned(), it.clone())))
        .collect()
}

fn merge(dir: &Path, models: usize, method: Method) -> Merge {
    Merge {
        base: dir.join("base"),
        models: (0..models).map(|t| (dir.join(format!("ft{t}")), 1.0)).collect(),
        method,
        number_type: Some(NumberType::F64),
        shard_bytes: 5 << 30,
    }
}

fn run(merge: &Merge, dir: &Path) -> Tensors {
    let out = dir.join("out");
    merge.run(&out, &mut |_| ()).unwrap();
    let merged = load(&out.join("model.safetensors"));
    std::fs::remove_dir_all(out).unwrap();
    merged
}

fn compare(got: &Tensors, wanted: &Tensors) {
    assert_eq!(got.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (name, tensor) in wanted {
        let (got, wanted) = (numbers(&got[name]), numbers(tensor));
        assert_eq!(got.len(), wanted.len());
        for (n, (a, b)) in got.iter().zip(&wanted).enumerate() {
            assert!((a - b).abs() < 1e-15, "{name}[{n}]: {a} instead of {b}");
        }
    }
}

#[test]
fn ties_by_tensor_is_peft_and_mergekits() {
    let all = load(Path::new("tests/fixtures/e_ties.safetensors"));
    let dir = tempfile::tempdir().unwrap();
    for name in ["base", "ft0", "ft1", "ft2"] {
        save(&dir.path().join(name).join("model.safetensors"), &part(&all, name));
    }
    for (variant, density) in [("tensor_d20", 0.2), ("tensor_d50", 0.5)] {
        let method = Method::Ties { density, lambda: 1.0, scope: Scope::Tensor };
        let merged = run(&merge(dir.path(), 3, method), dir.path());
        compare(&merged, &part(&all, variant));
    }
}

#[test]
fn ties_over_the_whole_model_is_the_papers() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if !shared.join("e_ties.safetensors").is_file() {
        eprintln!("skipped: {} is not there", shared.display());
        return;
    }
    let all = load(&shared.join("e_ties.safetensors"));
    let dir = tempfile::tempdir().unwrap();
    for name in ["ft0", "ft1", "ft2"] {
        save(&dir.path().join(name).join("model.safetensors"), &part(&all, name));
    }
    let base = load(&shared.join("nano/model.safetensors"));
    save(&dir.path().join("base/model.safetensors"), &base);
    for (variant, density) in [("global_d20", 0.2), ("global_d50", 0.5)] {
        let method = Method::Ties { density, lambda: 1.0, scope: Scope::Global };
        let merged = run(&merge(dir.path(), 3, method), dir.path());
        compare(&merged, &part(&all, variant));
    }
}

fn small(dir: &Path, name: &str, a: &[f32], b: &[f32]) -> PathBuf {
    let tensors = Tensors::from([
        ("a".to_owned(), (Dtype::F32, vec![a.len()], f32s(a))),
        ("b".to_owned(), (Dtype::F32, vec![b.len()], f32s(b))),
        ("ids".to_owned(), (Dtype::I64, vec![1], 7_i64.to_le_bytes().to_vec())),
    ]);
    save(&dir.join(name).join("model.safetensors"), &tensors);
    dir.join(name)
}

#[test]
fn linear_and_task_arithmetic_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path(), "base", &[1.0, 2.0], &[0.0]);
    small(dir.path(), "ft0", &[2.0, 2.0], &[4.0]);
    small(dir.path(), "ft1", &[0.0, 8.0], &[1.0]);
    let mut linear = merge(dir.path(), 2, Method::Linear);
    linear.models[1].1 = 3.0;
    let merged = run(&linear, dir.path());
    assert_eq!(numbers(&merged["a"]), [0.5, 6.5]);
    assert_eq!(numbers(&merged["b"]), [1.75]);
    // What is no number is the base's.
    assert_eq!(merged["ids"].2, 7_i64.to_le_bytes());
    let arithmetic = merge(dir.path(), 2, Method::TaskArithmetic { lambda: 0.5 });
    let merged = run(&arithmetic, dir.path());
    assert_eq!(numbers(&merged["a"]), [1.0, 5.0]);
    assert_eq!(numbers(&merged["b"]), [2.5]);
}

#[test]
fn signs_are_elected_by_mass_and_equal_magnitudes_are_kept_from_the_front() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path(), "base", &[0.0; 3], &[0.0]);
    small(dir.path(), "ft0", &[3.0, 1.0, 1.0], &[1.0]);
    small(dir.path(), "ft1", &[-2.0, -5.0, 0.0], &[1.0]);
    // Half of four entries: ft0 keeps 3 and the first of its three ones, ft1 keeps -5 and -2.
    let method = Method::Ties { density: 0.5, lambda: 1.0, scope: Scope::Global };
    let merged = run(&merge(dir.path(), 2, method), dir.path());
    assert_eq!(numbers(&merged["a"]), [3.0, -5.0, 0.0]);
    assert_eq!(numbers(&merged["b"]), [0.0]);
}

#[test]
fn large_models_are_written_in_shards_that_read_back() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path(), "base", &[0.0; 3], &[0.0]);
    small(dir.path(), "ft0", &[3.0, 1.0, 1.0], &[1.0]);
    std::fs::write(dir.path().join("base/config.json"), "{}").unwrap();
    let mut sharded = merge(dir.path(), 1, Method::TaskArithmetic { lambda: 1.0 });
    sharded.shard_bytes = 11;
    sharded.number_type = None;
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let summary = sharded.run(&first, &mut |_| ()).unwrap();
    assert_eq!((summary.tensors, summary.parameters, summary.files), (3, 5, 3));
    assert_eq!(std::fs::read_to_string(first.join("config.json")).unwrap(), "{}");
    // Its own input again: a model minus itself changes nothing.
    let again = Merge { base: first.clone(), models: vec![(first, 1.0)], ..sharded };
    again.run(&second, &mut |_| ()).unwrap();
    let part = load(&second.join("model-00001-of-00003.safetensors"));
    assert_eq!(numbers(&part["a"]), [3.0, 1.0, 1.0]);
    assert_eq!(part["a"].0, Dtype::F32);
}

#[test]
fn bad_folders_are_errors_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path(), "base", &[0.0; 3], &[0.0]);
    small(dir.path(), "ft0", &[3.0, 1.0], &[1.0]);
    let out = dir.path().join("out");
    let error = |merge: &Merge| {
        let error = merge.run(&out, &mut |_| ()).unwrap_err();
        assert!(error.is_input(), "{error}");
        assert!(!out.exists());
        assert_eq!(
            std::fs::read_dir(dir.path())
                .unwrap()
                .filter(|it| {
                    it.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')
                })
                .count(),
            0
        );
        error.to_string()
    };
    let plain = merge(dir.path(), 1, Method::Linear);
    assert!(error(&plain).contains("tensor a has shape [2], in the base [3]"));
    let mut missing = plain.clone();
    missing.models[0].0 = dir.path().join("nowhere");
    assert!(error(&missing).contains("name a Hugging Face model folder"));
    let density =
        merge(dir.path(), 1, Method::Ties { density: 0.0, lambda: 1.0, scope: Scope::Global });
    assert!(error(&density).contains("density is 0"));
    let mut none = plain.clone();
    none.models.clear();
    assert!(error(&none).contains("no model"));
    small(dir.path(), "ft0", &[f32::NAN, 1.0, 1.0], &[1.0]);
    let ties =
        merge(dir.path(), 1, Method::Ties { density: 0.5, lambda: 1.0, scope: Scope::Global });
    assert!(error(&ties).contains("holds a NaN"));
    let file = dir.path().join("ft0/model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    for cut in [0, 4, 20, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        error(&plain);
    }
}
