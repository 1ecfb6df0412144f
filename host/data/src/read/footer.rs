//! How deep a Parquet file's schema is, found without recursion: the reader proper follows the
//! schema on its stack, which a file made to harm would fill.
//!
//! Of the footer (Thrift's compact protocol) only the list of schema elements is looked at, and of
//! each element the number of its children. What cannot be followed is left to the reader proper.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

/// Structs and lists within each other, in a file that is read.
pub(super) const DEEPEST: usize = 100;

/// The depth of the schema; none where the footer cannot be followed.
pub(super) fn depth(file: &mut File) -> Option<usize> {
    let end = file.seek(SeekFrom::End(-8)).ok()?;
    let mut tail = [0_u8; 8];
    file.read_exact(&mut tail).ok()?;
    let length = u64::from(u32::from_le_bytes(tail[..4].try_into().ok()?));
    let start = end.checked_sub(length)?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer).ok()?;
    let mut at = Compact(&footer);
    let mut id = 0;
    while let Some(kind) = at.field(&mut id)? {
        // FileMetaData.schema
        if id == 2 && kind == LIST {
            return at.schema();
        }
        at.skip(kind, 0)?;
    }
    None
}

const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// What is left of the footer.
struct Compact<'a>(&'a [u8]);

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next field's type, its id put into `id`; none at the struct's end.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        *id = match head >> 4 {
            0 => {
                let coded = self.varint()?;
                (coded >> 1) as i64 ^ -((coded & 1) as i64)
            }
            delta => id.checked_add(i64::from(delta))?,
        };
        Some(Some(head & 0x0f))
    }

    /// A list's length and its items' type.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let length = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((length, head & 0x0f))
    }

    fn schema(&mut self) -> Option<usize> {
        let (elements, kind) = self.list()?;
        if kind != STRUCT {
            return None;
        }
        // Children still to come, of each group that is open.
        let mut open: Vec<u64> = Vec::new();
        let mut deepest = 0;
        for _ in 0..elements {
            let (mut id, mut children) = (0, 0);
            while let Some(kind) = self.field(&mut id)? {
                // SchemaElement.num_children, an i32
                if id == 5 && kind == 5 {
                    children = self.varint()? >> 1;
                } else {
                    self.skip(kind, 0)?;
                }
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if children > 0 {
                open.push(children);
                deepest = deepest.max(open.len());
            }
        }
        Some(deepest)
    }

    fn skip(&mut self, kind: u8, level: usize) -> Option<()> {
        if level > 16 {
            return None;
        }
        match kind {
            1 | 2 => {}
            3 => {
                self.byte()?;
            }
            4..=6 => {
                self.varint()?;
            }
            7 => self.0 = self.0.get(8..)?,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.0 = self.0.get(length..)?;
            }
            LIST | 10 => {
                let (length, kind) = self.list()?;
                for _ in 0..length {
                    // Within a list a truth value takes a byte, as type 3 does.
                    self.skip(kind.max(3), level + 1)?;
                }
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, level + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A file that is a footer alone: `depth` groups, one within the other, around one column.
    fn nested(depth: u32) -> File {
        let varint = |mut value: u32| {
            let mut bytes = Vec::new();
            while value > 0x7f {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        footer.extend(varint(depth + 1));
        for _ in 0..depth {
            // Name `a`, one child.
            footer.extend([0x48, 1, b'a', 0x15, 2, 0]);
        }
        // Type i32, name `x`.
        footer.extend([0x15, 2, 0x38, 1, b'x', 0]);
        footer.extend([0x16, 0, 0x19, 0x0c, 0]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1").unwrap();
        file.write_all(&footer).unwrap();
        file.write_all(&(footer.len() as u32).to_le_bytes()).unwrap();
        file.write_all(b"PAR1").unwrap();
        file
    }

    #[test]
    fn a_schema_of_any_depth_is_measured() {
        for deep in [1, 3, 200_000] {
            assert_eq!(depth(&mut nested(deep)), Some(deep as usize));
        }
        // As the writer proper writes it.
        let schema = "message m { optional group a (LIST) { repeated group list {
            optional binary element (UTF8); } } required int64 b (TIMESTAMP(MILLIS, true)); }";
        let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let writer = parquet::file::writer::SerializedFileWriter::new(
            file.try_clone().unwrap(),
            std::sync::Arc::new(schema),
            std::sync::Arc::default(),
        );
        writer.unwrap().close().unwrap();
        assert_eq!(depth(&mut file), Some(3));
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(depth(&mut file), None);
        file.write_all(b"PAR1\xff\xff\xff\x7fPAR1").unwrap();
        assert_eq!(depth(&mut file), None);
    }
}
