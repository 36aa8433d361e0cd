//! The folder that packed files live in: temporary files, one lock, a limit on its size.
//!
//! A writer holds a lock on its temporary file, so a temporary file whose lock can be had belongs to nobody and is removed. The folder's
//! own lock is held only while a finished file is renamed into place and old ones are removed.

use crate::sys::files::{has_name, open_private};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// What packed files are called.
pub const SUFFIX: &str = ".neweights";
const TEMPORARY: &str = ".ne-writing-";

/// A file being written, removed unless it was renamed.
pub struct Temporary {
    /// Open for writing, its lock held.
    pub file: File,
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// A fresh file in `folder`, mode 0600.
    pub fn new(folder: &Path) -> io::Result<Temporary> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
            match open_private(&path, true) {
                Ok(file) => {
                    let temporary = Temporary { file, path, renamed: false };
                    // Nobody else can want it for longer than a look at whether it is free.
                    temporary.file.lock()?;
                    if has_name(&temporary.file)? {
                        return Ok(temporary);
                    }
                    // That look came between making the file and locking it, and took it for an orphan.
                }
                // A process that had this number was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its name, replacing what had it.
    pub fn rename(mut self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // It may be gone already; what stays is removed by the next eviction.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Waits for the folder's lock; it is held until the file is dropped.
pub fn lock(folder: &Path) -> io::Result<File> {
    let file = open_private(&folder.join(".ne-lock"), false)?;
    file.lock()?;
    Ok(file)
}

/// Removes files that died half-written, and the longest unused packed files but `keep` until the rest has at most `limit` bytes.
///
/// A removed file stays valid for who has it mapped. Failures are left for the next time: the cache is then larger, nothing is wrong.
pub fn evict(folder: &Path, keep: &Path, limit: u64) {
    let mut packed: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with(TEMPORARY) {
            // The lock is held until the name is gone: whoever gets it next sees that.
            if let Ok(file) = File::open(&path)
                && file.try_lock().is_ok()
            {
                let _ = std::fs::remove_file(&path);
            }
        } else if name.ends_with(SUFFIX)
            && let Ok(status) = entry.metadata()
            && status.is_file()
        {
            packed.push((status.modified().unwrap_or(SystemTime::UNIX_EPOCH), status.len(), path));
        }
    }
    packed.sort();
    let mut total: u64 = packed.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in packed {
        if total <= limit {
            break;
        }
        if path.file_name() != keep.file_name() && std::fs::remove_file(&path).is_ok() {
            total -= length;
        }
    }
}
