//! The result: a folder of safetensors files, written tensor by tensor.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::MergeError;
use crate::folder::{Folder, NumberType, PIECE, Tensor};
use crate::{Merge, Summary};

/// A file beside the weights is copied up to this size (a tokenizer has tens of megabytes).
const LARGEST_COPIED: u64 = 256 << 20;

/// Writes a merge's result aside, and renames it when it is whole.
pub(crate) struct Writer {
    aside: PathBuf,
    out: PathBuf,
    number_type: Option<NumberType>,
    /// File names with the tensors of each, in order.
    shards: Vec<(String, Vec<Tensor>)>,
    open: Option<(PathBuf, BufWriter<File>)>,
    next: usize,
    done: usize,
    summary: Summary,
}

impl Writer {
    pub(crate) fn begin(merge: &Merge, out: &Path, base: &Folder) -> Result<Self, MergeError> {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let aside = out.with_file_name(format!(".{name}.partial"));
        if aside.exists() {
            std::fs::remove_dir_all(&aside).map_err(|error| MergeError::write(&aside, error))?;
        }
        std::fs::create_dir_all(&aside).map_err(|error| MergeError::write(&aside, error))?;
        copy_others(&merge.base, &aside)?;
        let mut writer = Self {
            aside,
            out: out.to_owned(),
            number_type: merge.number_type,
            shards: Vec::new(),
            open: None,
            next: 0,
            done: 0,
            summary: Summary::default(),
        };
        writer.plan(base, merge.shard_bytes);
        writer.index()?;
        Ok(writer)
    }

    /// The order in which tensors are written, as places in the base: the widest type first, so
    /// that each stands at a multiple of its own width.
    pub(crate) fn order(&self, base: &Folder) -> Vec<usize> {
        let mut order: Vec<usize> = (0..base.tensors.len()).collect();
        let width = |at: &usize| self.kind(&base.tensors[*at]).map_or(0, NumberType::bytes);
        order.sort_by_key(|at| std::cmp::Reverse(width(at)));
        order
    }

    /// Which tensors go to which file.
    fn plan(&mut self, base: &Folder, limit: u64) {
        let mut shards: Vec<Vec<Tensor>> = Vec::new();
        let mut size = 0;
        for at in self.order(base) {
            let tensor = &base.tensors[at];
            let bytes = self.bytes(tensor);
            match shards.last_mut() {
                Some(shard) if size + bytes <= limit => shard.push(tensor.clone()),
                _ => {
                    shards.push(vec![tensor.clone()]);
                    size = 0;
                }
            }
            size += bytes;
        }
        let count = shards.len();
        let name = |at: usize| match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", at + 1),
        };
        self.shards = shards.into_iter().enumerate().map(|(at, it)| (name(at), it)).collect();
    }

    fn kind(&self, tensor: &Tensor) -> Option<NumberType> {
        tensor.kind().map(|kind| self.number_type.unwrap_or(kind))
    }

    fn bytes(&self, tensor: &Tensor) -> u64 {
        match self.kind(tensor) {
            Some(kind) => tensor.len() as u64 * kind.bytes() as u64,
            None => tensor.byte_len(),
        }
    }

    fn index(&self) -> Result<(), MergeError> {
        if self.shards.len() < 2 {
            return Ok(());
        }
        let mut map = Map::new();
        let mut total = 0;
        for (file, tensors) in &self.shards {
            for tensor in tensors {
                map.insert(tensor.name.clone(), Value::String(file.clone()));
                total += self.bytes(tensor);
            }
        }
        let index = json!({"metadata": {"total_size": total}, "weight_map": map});
        let path = self.aside.join("model.safetensors.index.json");
        std::fs::write(&path, format!("{index:#}\n"))
            .map_err(|error| MergeError::write(&path, error))
    }

    /// Begins a tensor; they come in [`Self::order`].
    pub(crate) fn tensor(&mut self, tensor: &Tensor) -> Result<(), MergeError> {
        if self.open.is_none() || self.done == self.shards[self.next - 1].1.len() {
            self.close()?;
            let (name, tensors) = &self.shards[self.next];
            let path = self.aside.join(name);
            let file = File::create(&path).map_err(|error| MergeError::write(&path, error))?;
            let mut file = BufWriter::with_capacity(1 << 20, file);
            file.write_all(&self.header(tensors))
                .map_err(|error| MergeError::write(&path, error))?;
            self.open = Some((path, file));
            self.next += 1;
            self.done = 0;
        }
        self.done += 1;
        self.summary.tensors += 1;
        self.summary.parameters += tensor.len() as u64;
        Ok(())
    }

    fn header(&self, tensors: &[Tensor]) -> Vec<u8> {
        let mut header = Map::new();
        header.insert("__metadata__".into(), json!({"format": "pt"}));
        let mut offset = 0;
        for tensor in tensors {
            let end = offset + self.bytes(tensor);
            let dtype = match self.kind(tensor) {
                Some(kind) => kind.as_str(),
                None => &tensor.stored,
            };
            let shape = &tensor.shape;
            let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [offset, end]});
            header.insert(tensor.name.clone(), entry);
            offset = end;
        }
        let mut text = Value::Object(header).to_string().into_bytes();
        // The numbers start at a multiple of eight bytes.
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text);
        bytes
    }

    /// The next numbers of the tensor at hand.
    pub(crate) fn numbers(&mut self, tensor: &Tensor, numbers: &[f64]) -> Result<(), MergeError> {
        match self.kind(tensor) {
            Some(kind) => self.write(&kind.encode(numbers)),
            None => Ok(()),
        }
    }

    /// A tensor of another type than numbers, as the base has it.
    pub(crate) fn copy(&mut self, base: &Folder, tensor: &Tensor) -> Result<(), MergeError> {
        let mut offset = 0;
        while offset < tensor.byte_len() {
            let mut bytes = vec![0; (tensor.byte_len() - offset).min(PIECE as u64) as usize];
            base.read_bytes(tensor, offset, &mut bytes)?;
            self.write(&bytes)?;
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MergeError> {
        match &mut self.open {
            Some((path, file)) => {
                file.write_all(bytes).map_err(|error| MergeError::write(path, error))
            }
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), MergeError> {
        let Some((path, file)) = self.open.take() else { return Ok(()) };
        self.summary.files += 1;
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(|error| MergeError::write(&path, error))
    }

    pub(crate) fn finish(mut self) -> Result<Summary, MergeError> {
        self.close()?;
        std::fs::rename(&self.aside, &self.out)
            .map_err(|error| MergeError::write(&self.out, error))?;
        Ok(self.summary)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // After a rename there is nothing here; after an error, nothing of use.
        let _ = std::fs::remove_dir_all(&self.aside);
    }
}

/// Configuration, tokenizer and the like; no weights, no folders.
fn copy_others(from: &Path, to: &Path) -> Result<(), MergeError> {
    for entry in std::fs::read_dir(from).map_err(|error| MergeError::read(from, error))? {
        let entry = entry.map_err(|error| MergeError::read(from, error))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let weights = [".safetensors", ".safetensors.index.json", ".bin", ".pt", ".gguf"];
        let is_weights = weights.iter().any(|ending| name.ends_with(ending));
        // A cache of the hub holds links; what they lead to is what counts.
        let metadata = std::fs::metadata(&path).map_err(|error| MergeError::read(&path, error))?;
        if is_weights || !metadata.is_file() || metadata.len() > LARGEST_COPIED {
            continue;
        }
        std::fs::copy(&path, to.join(&name)).map_err(|error| MergeError::write(to, error))?;
    }
    Ok(())
}
