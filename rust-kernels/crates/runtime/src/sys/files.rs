//! Files that belong to one user: how they are made, opened and judged on each system.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

/// Makes a folder and those above it, for this user only where the system knows modes.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    builder.recursive(true).create(path)
}

/// Opens a file of this user to read and write, making it with mode 0600; with `fresh` it must not be there yet.
pub fn open_private(path: &Path, fresh: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    if fresh { options.create_new(true) } else { options.create(true) }.open(path)
}

/// Whether an open file still has a name.
pub fn has_name(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    return Ok(file.metadata()?.nlink() > 0);
    // Elsewhere an open file keeps its name until it is closed.
    #[cfg(not(unix))]
    return file.metadata().map(|_| true);
}

/// Writes a folder's list of names to the disk, where the system has such a call.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return File::open(path)?.sync_all();
    #[cfg(not(unix))]
    return path.metadata().map(|_| ());
}

/// What came of opening a file that must be private.
#[derive(Debug)]
pub enum Opened {
    /// A regular file of this user (or of root) that others cannot write.
    File(File),
    /// There is none.
    Absent,
    /// Policy forbids it, in a few words.
    Refused(&'static str),
}

/// Opens a private file to read. Links are not followed and pipes do not block; what was opened is what is judged.
pub fn open_checked(path: &Path) -> io::Result<Opened> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    #[cfg(not(unix))]
    if path.is_symlink() {
        return Ok(Opened::Refused("the file is a symbolic link"));
    }
    let file = match options.read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Absent),
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Ok(Opened::Refused("the file is a symbolic link")),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Opened::Refused("permission denied")),
        Err(error) => return Err(error),
    };
    let status = file.metadata()?;
    if !status.is_file() {
        return Ok(Opened::Refused("not a regular file"));
    }
    #[cfg(unix)]
    {
        // SAFETY: has no preconditions.
        let user = unsafe { libc::geteuid() };
        if status.uid() != user && status.uid() != 0 {
            return Ok(Opened::Refused("the file belongs to another user"));
        }
        if status.mode() & 0o022 != 0 {
            return Ok(Opened::Refused("others may write the file"));
        }
    }
    Ok(Opened::File(file))
}
