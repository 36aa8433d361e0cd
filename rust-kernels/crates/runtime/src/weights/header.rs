//! The packed file's first 64 bytes.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | magic `NEWEIGHT` |
//! | 8..12 | ABI, u32 |
//! | 12..16 | 0x01020304, u32: reads differently where bytes lie the other way |
//! | 16..24 | length of the file, u64 |
//! | 24..40 | offset and length of the table (JSON), u64 each; data lies from 64 to the table |
//! | 40..48 | length of the caller's text, u64; it follows the table and ends the file |
//! | 48..56 | checksum of the data |
//! | 56..64 | checksum of the 56 bytes before, the table and the text |
//!
//! All numbers are little-endian.

use super::digest::Digest;
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::program::ABI;

/// Bytes of the header; data starts here.
pub const HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"NEWEIGHT";
const ENDIAN: u32 = 0x0102_0304;

/// What the header says, beyond magic and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where the table starts.
    pub table_offset: usize,
    /// Bytes of the table.
    pub table_bytes: usize,
    /// Bytes of the caller's text.
    pub meta_bytes: usize,
    /// Checksum of the data.
    pub data_digest: u64,
}

impl Header {
    /// The 64 bytes.
    pub fn write(&self, table: &[u8], meta: &[u8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&ABI.to_le_bytes());
        bytes[12..16].copy_from_slice(&ENDIAN.to_le_bytes());
        let numbers = [self.table_offset + table.len() + meta.len(), self.table_offset, self.table_bytes, self.meta_bytes];
        for (i, number) in numbers.into_iter().enumerate() {
            bytes[16 + 8 * i..24 + 8 * i].copy_from_slice(&(number as u64).to_le_bytes());
        }
        bytes[48..56].copy_from_slice(&self.data_digest.to_le_bytes());
        let checksum = checksum(&bytes[..56], table, meta);
        bytes[56..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of `file` and checks everything it says about the file's parts. `None` for a file that was cut short or belongs
    /// to another version of the engine: it is to be packed again.
    ///
    /// # Errors
    /// E_IR_MISMATCH, saying what does not fit.
    pub fn read(file: &[u8]) -> Result<Option<Header>> {
        let wrong = |text: String| RuntimeError::new(ErrorCode::IrMismatch, text);
        let Some(head) = file.first_chunk::<HEADER>() else { return Ok(None) };
        if !head.starts_with(&MAGIC) {
            return Err(wrong("this is no packed weight file".into()));
        }
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
        let (abi, endian) = (number(8) as u32, (number(8) >> 32) as u32);
        if endian != ENDIAN {
            return Err(wrong("the packed weights have another byte order".into()));
        }
        if abi != ABI {
            return Ok(None);
        }
        let parts = [number(16), number(24), number(32), number(40)].map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        let [length, table_offset, table_bytes, meta_bytes] = parts;
        if length > file.len() {
            return Ok(None);
        }
        if length != file.len() {
            return Err(wrong(format!("the packed weights must have {length} bytes, the file has {}", file.len())));
        }
        let sum = table_offset.checked_add(table_bytes).and_then(|end| end.checked_add(meta_bytes));
        if table_offset < HEADER || !table_offset.is_multiple_of(HEADER) || sum != Some(length) {
            return Err(wrong("the packed weights' table and text do not end the file".into()));
        }
        let (table, meta) = file[table_offset..].split_at(table_bytes);
        if checksum(&head[..56], table, meta) != number(56) {
            return Err(wrong("the packed weights are damaged: the table's checksum differs".into()));
        }
        Ok(Some(Header { table_offset, table_bytes, meta_bytes, data_digest: number(48) }))
    }
}

fn checksum(head: &[u8], table: &[u8], meta: &[u8]) -> u64 {
    let mut digest = Digest::default();
    for part in [head, table, meta] {
        digest.update(part);
    }
    digest.finish()
}
