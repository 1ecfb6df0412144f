//! Weights from and to safetensors files, whole or sharded, and the optimizer's state.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::arena::{Arena, Parameter};
use crate::real::Real;
use crate::{PolicyError, files};

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The number type of stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoredType {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, 8 of them exponent.
    Bf16,
    /// 16 bits, 5 of them exponent.
    F16,
}

/// Reads every parameter of the arena, in its order, and the type the embedding was stored in.
pub(crate) fn read<R: Real>(
    dir: &Path,
    arena: &Arena,
) -> Result<(Vec<R>, StoredType), PolicyError> {
    let mut values = vec![R::ZERO; arena.len];
    let mut stored = StoredType::F32;
    for (path, parameters) in files_of(dir, arena)? {
        let bytes = std::fs::read(&path).map_err(|e| PolicyError::read(&path, e))?;
        let tensors = parse(&path, &bytes)?;
        for parameter in parameters {
            let tensor = find(&path, &tensors, &parameter.name, &parameter.shape)?;
            let to = &mut values[parameter.range.clone()];
            let kind = convert(&tensor, to).map_err(|m| {
                PolicyError::weights(&path, format!("tensor {}: {m}", parameter.name))
            })?;
            if parameter.range.start == 0 {
                stored = kind;
            }
        }
    }
    Ok((values, stored))
}

/// Which parameters each file holds.
fn files_of<'a>(
    dir: &Path,
    arena: &'a Arena,
) -> Result<BTreeMap<PathBuf, Vec<&'a Parameter>>, PolicyError> {
    let whole = dir.join(WHOLE);
    let path = dir.join(INDEX);
    let index = if whole.exists() { None } else { files::read_optional(&path)? };
    let Some(index) = index else {
        return Ok(BTreeMap::from([(whole, arena.parameters.iter().collect())]));
    };
    let index: Value = serde_json::from_str(&index)
        .map_err(|e| PolicyError::weights(&path, format!("is not JSON: {e}")))?;
    let map = index
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(|| PolicyError::weights(&path, "weight_map is missing"))?;
    let mut shards: BTreeMap<PathBuf, Vec<&Parameter>> = BTreeMap::new();
    for parameter in &arena.parameters {
        let name = &parameter.name;
        let shard = map.get(name).and_then(Value::as_str).ok_or_else(|| {
            PolicyError::weights(&path, format!("tensor {name} is missing from weight_map"))
        })?;
        if Path::new(shard).components().count() != 1 || shard == ".." {
            return Err(PolicyError::weights(
                &path,
                format!("tensor {name}: {shard:?} is not the name of a file beside the index"),
            ));
        }
        shards.entry(dir.join(shard)).or_default().push(parameter);
    }
    Ok(shards)
}

fn parse<'b>(path: &Path, bytes: &'b [u8]) -> Result<SafeTensors<'b>, PolicyError> {
    SafeTensors::deserialize(bytes).map_err(|e| {
        PolicyError::weights(
            path,
            format!("is not a whole safetensors file ({e}); is it cut short?"),
        )
    })
}

fn find<'b>(
    path: &Path,
    tensors: &SafeTensors<'b>,
    name: &str,
    shape: &[usize],
) -> Result<TensorView<'b>, PolicyError> {
    let tensor = tensors
        .tensor(name)
        .map_err(|_| PolicyError::weights(path, format!("tensor {name} is missing")))?;
    if tensor.shape() != shape {
        let got = tensor.shape();
        return Err(PolicyError::weights(
            path,
            format!("tensor {name} has shape {got:?}, the configuration says {shape:?}"),
        ));
    }
    Ok(tensor)
}

/// Little-endian numbers of any float type.
fn convert<R: Real>(tensor: &TensorView<'_>, to: &mut [R]) -> Result<StoredType, String> {
    fn each<const N: usize, R: Real>(bytes: &[u8], to: &mut [R], f: impl Fn([u8; N]) -> f64) {
        for (to, bytes) in to.iter_mut().zip(bytes.as_chunks::<N>().0) {
            *to = R::from_f64(f(*bytes));
        }
    }
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::F64 => each(bytes, to, f64::from_le_bytes),
        Dtype::F32 => each(bytes, to, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::BF16 => {
            each(bytes, to, |b| bf16::from_le_bytes(b).to_f64());
            return Ok(StoredType::Bf16);
        }
        Dtype::F16 => {
            each(bytes, to, |b| f16::from_le_bytes(b).to_f64());
            return Ok(StoredType::F16);
        }
        other => return Err(format!("is stored as {other:?}; F32, BF16 and F16 are supported")),
    }
    Ok(StoredType::F32)
}

/// Writes `model.safetensors`, synced.
pub(crate) fn write(
    dir: &Path,
    arena: &Arena,
    values: &[f32],
    stored: StoredType,
) -> Result<(), PolicyError> {
    let bytes: Cow<'_, [u8]> = match stored {
        StoredType::F32 => little_endian(values),
        StoredType::Bf16 => values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
        StoredType::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
    };
    let (kind, size) = match stored {
        StoredType::F32 => (Dtype::F32, 4),
        StoredType::Bf16 => (Dtype::BF16, 2),
        StoredType::F16 => (Dtype::F16, 2),
    };
    let path = dir.join(WHOLE);
    let tensors = arena
        .parameters
        .iter()
        .map(|p| {
            let data = &bytes[p.range.start * size..p.range.end * size];
            view(&path, kind, &p.shape, data).map(|view| (p.name.clone(), view))
        })
        .collect::<Result<Vec<_>, _>>()?;
    // transformers wants to be told that the tensors are row-major as PyTorch's.
    store(&path, tensors, HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

fn view<'d>(
    path: &Path,
    kind: Dtype,
    shape: &[usize],
    data: &'d [u8],
) -> Result<TensorView<'d>, PolicyError> {
    TensorView::new(kind, shape.to_vec(), data)
        .map_err(|e| PolicyError::weights(path, format!("cannot be written: {e}")))
}

fn store(
    path: &Path,
    tensors: Vec<(String, TensorView<'_>)>,
    metadata: HashMap<String, String>,
) -> Result<(), PolicyError> {
    // Not the crate's own writer: it makes files that only their owner can read.
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|e| PolicyError::weights(path, format!("cannot be written: {e}")))?;
    files::write_synced(path, &bytes)
}

/// Little-endian bytes, without a copy where memory already holds them so.
fn little_endian(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }
}

/// First and second moments of the whole arena, and the number of steps taken.
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) steps: u64,
}

const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";
const STEPS: &str = "step";

/// Writes moments, synced.
pub(crate) fn write_moments(path: &Path, moments: &Moments) -> Result<(), PolicyError> {
    let (first, second) = (little_endian(&moments.first), little_endian(&moments.second));
    let steps = moments.steps.to_le_bytes();
    let tensors = vec![
        (FIRST.to_owned(), view(path, Dtype::F32, &[moments.first.len()], &first)?),
        (SECOND.to_owned(), view(path, Dtype::F32, &[moments.second.len()], &second)?),
        (STEPS.to_owned(), view(path, Dtype::U64, &[1], &steps)?),
    ];
    store(path, tensors, HashMap::new())
}

/// Reads what [`write_moments`] wrote, for `len` parameters.
pub(crate) fn read_moments(path: &Path, len: usize) -> Result<Moments, PolicyError> {
    let bytes = std::fs::read(path).map_err(|e| PolicyError::read(path, e))?;
    let tensors = parse(path, &bytes)?;
    let numbers = |name: &str| {
        let mut values = vec![0.0_f32; len];
        convert(&find(path, &tensors, name, &[len])?, &mut values)
            .map_err(|m| PolicyError::weights(path, format!("tensor {name}: {m}")))?;
        Ok(values)
    };
    let steps = find(path, &tensors, STEPS, &[1])?;
    let steps = match (steps.dtype(), <[u8; 8]>::try_from(steps.data())) {
        (Dtype::U64, Ok(bytes)) => u64::from_le_bytes(bytes),
        (kind, _) => {
            return Err(PolicyError::weights(path, format!("tensor {STEPS} is {kind:?}, not U64")));
        }
    };
    Ok(Moments { first: numbers(FIRST)?, second: numbers(SECOND)?, steps })
}
