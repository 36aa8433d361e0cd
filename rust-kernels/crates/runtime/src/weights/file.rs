//! Packed weights in a file: written under a temporary name, renamed into place, opened by mapping.

use super::cache;
use super::digest::Digest;
use super::header::{HEADER, Header};
use super::pack::{LINE, Sink, pack};
use super::set::{Blob, WeightSet, digest_of};
use super::spec::{Kind, Section, Spec};
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::sys::files::{Opened, make_private_folder, open_checked, sync_folder};
use crate::sys::memory::Memory;
use neural_engine_isa::Isa;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How to open a packed file.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptionsPacked {
    /// Read it into private memory instead of mapping it.
    pub copy: bool,
    /// Check the data's checksum too, which reads all of it.
    pub verify: bool,
}

impl WeightSet {
    /// Packs into `path` and opens it. The file appears whole or not at all; its folder is made with mode 0700, the file with 0600.
    /// With `cache_bytes`, the oldest packed files of the folder are then removed until all together are no larger.
    ///
    /// # Errors
    /// As [`pack`]; E_USAGE for formats that this CPU is not fast with, E_CANTCREAT, E_SPACE and E_IO from the file system.
    pub fn in_file(
        path: &Path,
        specs: &[Spec],
        buffers: &[&[u8]],
        meta: &str,
        cache_bytes: Option<u64>,
        options: OpenOptionsPacked,
    ) -> Result<WeightSet> {
        let for_tiles = |spec: &Spec| matches!(spec, Spec::LinearU8s8 { format, .. } if format.is_for_tiles());
        if Isa::best().amx().is_none() && specs.iter().any(for_tiles) {
            let text = "weights for AMX tiles are not packed into a file on a CPU that cannot use them";
            return Err(RuntimeError::new(ErrorCode::Usage, text));
        }
        let io = |error: std::io::Error| RuntimeError::io("packed weights cannot be written", &error);
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        make_private_folder(folder).map_err(io)?;
        let temporary = cache::Temporary::new(folder).map_err(io)?;
        write(&temporary.file, specs, buffers, meta)?;
        temporary.file.sync_all().map_err(io)?;
        // Held until the file is open: another writer's eviction may remove it right after.
        let _lock = cache::lock(folder).map_err(io)?;
        temporary.rename(path).map_err(io)?;
        sync_folder(folder).map_err(io)?;
        if let Some(limit) = cache_bytes {
            cache::evict(folder, path, limit);
        }
        let gone = || RuntimeError::new(ErrorCode::Io, "the packed weights vanished right after they were written");
        WeightSet::open(path, options)?.ok_or_else(gone)
    }

    /// Opens a packed file; `None` when there is none, or one that was cut short or belongs to another version or CPU.
    /// Every count, offset, index and checksum that kernels rely on is checked.
    ///
    /// # Errors
    /// E_PATH when it is not a regular file of this user that others cannot write, E_IR_MISMATCH and E_SPARSE when its content is
    /// not what this engine wrote, E_IO and E_LIMIT from the system.
    pub fn open(path: &Path, options: OpenOptionsPacked) -> Result<Option<WeightSet>> {
        let io = |error: std::io::Error| RuntimeError::io("packed weights cannot be read", &error);
        let mut file = match open_checked(path).map_err(io)? {
            Opened::File(file) => file,
            Opened::Absent => return Ok(None),
            Opened::Refused(text) => return Err(RuntimeError::new(ErrorCode::Path, format!("packed weights are refused: {text}"))),
        };
        let status = file.metadata().map_err(io)?;
        let length = usize::try_from(status.len()).unwrap_or(usize::MAX);
        if length < HEADER {
            return Ok(None);
        }
        let blob = if options.copy {
            let mut memory = Memory::new(length, true)?;
            file.read_exact(memory.bytes_mut()).map_err(io)?;
            Blob::Memory(memory)
        } else {
            // SAFETY: the mapping is read-only, and this engine replaces packed files by renaming and never changes one. Another
            // process of the same user that truncates it would end this process; that is outside the promise.
            Blob::File(unsafe { memmap2::Mmap::map(&file) }.map_err(io)?)
        };
        // Marks the file as used for the eviction; without the right to do so nothing is lost.
        let _ = file.set_modified(std::time::SystemTime::now());
        from_blob(blob, options.verify)
    }
}

fn from_blob(blob: Blob, verify: bool) -> Result<Option<WeightSet>> {
    let damaged = |text: String| RuntimeError::new(ErrorCode::IrMismatch, text);
    let file = blob.bytes();
    let Some(header) = Header::read(file)? else { return Ok(None) };
    let (table, meta) = file[header.table_offset..].split_at(header.table_bytes);
    let sections: Vec<Section> =
        serde_json::from_slice(table).map_err(|error| damaged(format!("the packed weights' table is invalid: {error}")))?;
    let meta = std::str::from_utf8(meta).map_err(|_| damaged("the packed weights' text is not UTF-8".into()))?.to_owned();
    let end = sections.last().map_or(HEADER, |last| last.offset.saturating_add(last.bytes));
    if end.checked_next_multiple_of(LINE) != Some(header.table_offset) {
        return Err(damaged("the packed weights' table does not describe all of the file".into()));
    }
    if verify && digest_of(&file[HEADER..header.table_offset]) != header.data_digest {
        return Err(damaged("the packed weights are damaged: the data's checksum differs".into()));
    }
    // Packed for tiles: on a CPU without them it would run in software, so it is packed again in what this CPU is fast with.
    let for_tiles = |section: &Section| matches!(section.what, Kind::LinearU8s8 { format, .. } if format.is_for_tiles());
    if Isa::best().amx().is_none() && sections.iter().any(for_tiles) {
        return Ok(None);
    }
    WeightSet::new(blob, sections, HEADER, meta).map(Some)
}

fn write(file: &File, specs: &[Spec], buffers: &[&[u8]], meta: &str) -> Result<()> {
    let io = |error: std::io::Error| RuntimeError::io("packed weights cannot be written", &error);
    let mut sink = FileSink { file: BufWriter::with_capacity(1 << 20, file), digest: Digest::default() };
    sink.file.write_all(&[0; HEADER]).map_err(io)?;
    let sections = pack(specs, buffers, HEADER, &mut sink)?;
    let table_offset = sections.last().map_or(HEADER, |last| (last.offset + last.bytes).next_multiple_of(LINE));
    let broken = |_| RuntimeError::new(ErrorCode::Internal, "the table cannot be written as JSON");
    let table = serde_json::to_vec(&sections).map_err(broken)?;
    let data_digest = sink.digest.finish();
    let header = Header { table_offset, table_bytes: table.len(), meta_bytes: meta.len(), data_digest };
    let mut put = || {
        sink.file.write_all(&table)?;
        sink.file.write_all(meta.as_bytes())?;
        sink.file.seek(SeekFrom::Start(0))?;
        sink.file.write_all(&header.write(&table, meta.as_bytes()))?;
        sink.file.flush()
    };
    put().map_err(io)
}

struct FileSink<'f> {
    file: BufWriter<&'f File>,
    digest: Digest,
}

impl<'a> Sink<'a> for FileSink<'_> {
    fn put(&mut self, bytes: Cow<'a, [u8]>) -> Result<()> {
        self.digest.update(&bytes);
        let padding = bytes.len().next_multiple_of(LINE) - bytes.len();
        let written = self.file.write_all(&bytes).and_then(|()| self.file.write_all(&[0; LINE][..padding]));
        written.map_err(|error| RuntimeError::io("packed weights cannot be written", &error))
    }
}
