//! A model's tensors in its folder's safetensors files, read by pieces.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use serde::Deserialize;
use serde_json::Value;

use crate::error::MergeError;

/// Numbers of a tensor that are held at a time, for each model.
pub const PIECE: usize = 1 << 20;

/// The longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;
const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// How a tensor's numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberType {
    /// 64 bits.
    F64,
    /// 32 bits.
    F32,
    /// 16 bits, 5 of them exponent.
    F16,
    /// 16 bits, 8 of them exponent.
    Bf16,
}

impl NumberType {
    /// The format's own name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::F64, Self::F32, Self::F16, Self::Bf16].into_iter().find(|it| it.as_str() == name)
    }

    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<f64> {
        fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.as_chunks::<N>().0.iter().map(|chunk| number(*chunk)).collect()
        }
        match self {
            Self::F64 => each(bytes, f64::from_le_bytes),
            Self::F32 => each(bytes, |it| f32::from_le_bytes(it).into()),
            Self::F16 => each(bytes, |it| f16::from_le_bytes(it).into()),
            Self::Bf16 => each(bytes, |it| bf16::from_le_bytes(it).into()),
        }
    }

    pub(crate) fn encode(self, numbers: &[f64]) -> Vec<u8> {
        match self {
            Self::F64 => numbers.iter().flat_map(|it| it.to_le_bytes()).collect(),
            Self::F32 => numbers.iter().flat_map(|it| (*it as f32).to_le_bytes()).collect(),
            Self::F16 => numbers.iter().flat_map(|it| f16::from_f64(*it).to_le_bytes()).collect(),
            Self::Bf16 => numbers.iter().flat_map(|it| bf16::from_f64(*it).to_le_bytes()).collect(),
        }
    }
}

/// One tensor of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    /// The format's name of its type, which may be one that is only copied.
    pub(crate) stored: String,
    kind: Option<NumberType>,
    file: usize,
    bytes: Range<u64>,
}

impl Tensor {
    pub(crate) fn is_float(&self) -> bool {
        self.kind.is_some()
    }

    pub(crate) fn kind(&self) -> Option<NumberType> {
        self.kind
    }

    pub(crate) fn byte_len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product::<u64>() as usize
    }

    /// Its numbers, in ranges of at most [`PIECE`].
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let len = self.len();
        (0..len.div_ceil(PIECE)).map(move |at| at * PIECE..((at + 1) * PIECE).min(len))
    }
}

/// A model's folder, opened.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// By name.
    pub(crate) tensors: Vec<Tensor>,
    files: Vec<(PathBuf, File)>,
}

#[derive(Deserialize)]
struct Header {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, MergeError> {
        let mut folder = Self { path: path.to_owned(), tensors: Vec::new(), files: Vec::new() };
        for name in files_of(path)? {
            folder.add(path.join(name))?;
        }
        folder.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = folder.tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let message = format!("tensor {} stands in two of its files", pair[0].name);
            return Err(MergeError::weights(path, message));
        }
        Ok(folder)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), MergeError> {
        let wrong = |message: String| MergeError::weights(&path, message);
        let file = File::open(&path).map_err(|error| MergeError::read(&path, error))?;
        let size = file.metadata().map_err(|error| MergeError::read(&path, error))?.len();
        let cut = || wrong("is not a whole safetensors file; is it cut short?".into());
        let mut length = [0; 8];
        file.read_exact_at(&mut length, 0).map_err(|_| cut())?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER || length + 8 > size {
            return Err(cut());
        }
        let mut header = vec![0; length as usize];
        file.read_exact_at(&mut header, 8).map_err(|_| cut())?;
        let header: BTreeMap<String, Value> = serde_json::from_slice(&header)
            .map_err(|error| wrong(format!("its header is not JSON: {error}")))?;
        for (name, value) in header {
            if name == "__metadata__" {
                continue;
            }
            let Header { dtype, shape, data_offsets: [start, end] } =
                serde_json::from_value(value).map_err(|error| wrong(format!("{name}: {error}")))?;
            let kind = NumberType::named(&dtype);
            let bytes = end.checked_sub(start).filter(|_| end <= size - 8 - length);
            let numbers = shape.iter().try_fold(1_u64, |all, axis| all.checked_mul(*axis));
            let fits = match (bytes, numbers, kind) {
                (Some(bytes), Some(numbers), Some(kind)) => {
                    numbers.checked_mul(kind.bytes() as u64) == Some(bytes)
                }
                (Some(_), Some(_), None) => true,
                _ => false,
            };
            if !fits {
                return Err(wrong(format!("{name}: its shape, type and place do not agree")));
            }
            let bytes = start + 8 + length..end + 8 + length;
            let file = self.files.len();
            self.tensors.push(Tensor { name, shape, stored: dtype, kind, file, bytes });
        }
        self.files.push((path, file));
        Ok(())
    }

    /// Numbers of all tensors that are merged.
    pub(crate) fn parameters(&self) -> u64 {
        self.tensors.iter().filter(|it| it.is_float()).map(|it| it.len() as u64).sum()
    }

    pub(crate) fn named(&self, name: &str) -> Result<&Tensor, MergeError> {
        self.tensors
            .binary_search_by(|tensor| tensor.name.as_str().cmp(name))
            .map(|at| &self.tensors[at])
            .map_err(|_| MergeError::weights(&self.path, format!("tensor {name} is missing")))
    }

    /// Whether it has the base's tensors, in its shapes, and no others.
    pub(crate) fn matches(&self, base: &Self) -> Result<(), MergeError> {
        let wrong = |message| Err(MergeError::weights(&self.path, message));
        for tensor in &base.tensors {
            let own = self.named(&tensor.name)?;
            if own.shape != tensor.shape {
                return wrong(format!(
                    "tensor {} has shape {:?}, in the base {:?}; only models trained from one base \
                     can be merged",
                    own.name, own.shape, tensor.shape
                ));
            }
            if own.is_float() != tensor.is_float() {
                return wrong(format!(
                    "tensor {} is {}, in the base {}",
                    own.name, own.stored, tensor.stored
                ));
            }
        }
        match self.tensors.iter().find(|tensor| base.named(&tensor.name).is_err()) {
            Some(other) => wrong(format!("tensor {} is not in the base", other.name)),
            None => Ok(()),
        }
    }

    /// A piece of a tensor's numbers.
    pub(crate) fn read(
        &self,
        tensor: &Tensor,
        piece: &Range<usize>,
    ) -> Result<Vec<f64>, MergeError> {
        let Some(kind) = tensor.kind else {
            let message = format!("tensor {} is {}, no number type", tensor.name, tensor.stored);
            return Err(MergeError::weights(&self.path, message));
        };
        let mut bytes = vec![0; piece.len() * kind.bytes()];
        self.read_bytes(tensor, (piece.start * kind.bytes()) as u64, &mut bytes)?;
        Ok(kind.decode(&bytes))
    }

    /// Bytes of a tensor from an offset within it.
    pub(crate) fn read_bytes(
        &self,
        tensor: &Tensor,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), MergeError> {
        let (path, file) = &self.files[tensor.file];
        file.read_exact_at(into, tensor.bytes.start + offset)
            .map_err(|error| MergeError::read(path, error))
    }
}

/// The names of a folder's files of weights.
fn files_of(path: &Path) -> Result<Vec<String>, MergeError> {
    if path.join(WHOLE).is_file() {
        return Ok(vec![WHOLE.to_owned()]);
    }
    let index = path.join(INDEX);
    if !index.is_file() {
        let message =
            format!("holds neither {WHOLE} nor {INDEX}; name a Hugging Face model folder");
        return Err(MergeError::weights(path, message));
    }
    let text = std::fs::read_to_string(&index).map_err(|error| MergeError::read(&index, error))?;
    let wrong = |message: String| MergeError::weights(&index, message);
    let json: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| wrong("has no weight_map".into()))?;
    let mut files: Vec<String> = Vec::new();
    for (tensor, file) in map {
        let name = file.as_str().unwrap_or_default();
        if name.is_empty() || name == ".." || Path::new(name).components().count() != 1 {
            return Err(wrong(format!("tensor {tensor}: {file} is no file beside the index")));
        }
        if !files.iter().any(|it| it == name) {
            files.push(name.to_owned());
        }
    }
    files.sort();
    Ok(files)
}
